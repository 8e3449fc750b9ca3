async fn page<T: Row>(pool: &Pool, number: u32, size: usize) -> Result<Vec<T>, DbError> {
    fn __here() {}
    static __POLICY: ::std::sync::LazyLock<::larder::FillPolicy> = ::std::sync::LazyLock::new(||
    ::larder::FillPolicy::new(::larder::__private::path_of(&__here)));
    let __values = ::larder::Values::of_static(
        &__POLICY,
        ::larder::Codec::in_process(size),
        |__value| match __value {
            ::core::result::Result::Ok(_) => ::larder::CacheHints::new(),
            ::core::result::Result::Err(_) => {
                ::larder::CacheHints::new()
                    .ttl(::larder::Ttl::Of(::core::time::Duration::from_millis(5000u64)))
            }
        },
    );
    let __owned_larder = ::larder::Larder::in_scope();
    let __larder = ::larder::__private::Handle::handle(&__owned_larder);
    let __call = ::larder::__private::Call::new(
        __larder,
        &(::core::any::type_name::<T>(), (&number, (&size, ()))),
        &__values,
    );
    ::larder::__private::infallible(
        __call
            .fill(
                (pool, number, size),
                |_| ::std::vec::Vec::new(),
                |(pool, mut number, size)| async move {
                    let __returned: Result<Vec<T>, DbError> = async move {
                        #[allow(unreachable_code, clippy::diverging_sub_expression)]
                        if let ::core::option::Option::Some(__returned) = ::core::option::Option::None::<
                            Result<Vec<T>, DbError>,
                        > {
                            return __returned;
                        }
                        number += 1;
                        pool.page(number, size).await
                    }
                        .await;
                    ::core::result::Result::Ok::<
                        _,
                        ::core::convert::Infallible,
                    >(__returned)
                },
            )
            .await,
    )
}
