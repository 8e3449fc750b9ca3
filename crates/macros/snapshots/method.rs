async fn by_name(&self, name: &str) -> Result<Option<Recruiter>, DbError> {
    fn __here() {}
    static __POLICY: ::std::sync::LazyLock<::larder::FillPolicy> = ::std::sync::LazyLock::new(||
    {
        ::larder::FillPolicy::new(::larder::__private::path_of(&__here))
            .ttl(::larder::Ttl::Named(::larder::NamedTtl::Long))
            .stale_while_revalidate(
                ::larder::Ttl::Of(::core::time::Duration::from_millis(300000u64)),
            )
    });
    let __values = ::larder::Values::of_static(
        &__POLICY,
        ::larder::Codec::json(),
        |__value| match __value {
            ::core::option::Option::Some(_) => ::larder::CacheHints::new(),
            ::core::option::Option::None => {
                ::larder::CacheHints::new()
                    .ttl(
                        ::larder::Ttl::Of(::core::time::Duration::from_millis(30000u64)),
                    )
            }
        },
    );
    let __larder = ::core::option::Option::Some(::larder::HasLarder::larder(self));
    let __call = ::larder::__private::Call::new(
        __larder,
        &(
            ::core::any::type_name::<Self>(),
            (
                ::larder::__private::Text(&self.tenant),
                (":", (::larder::__private::Text(&name), ())),
            ),
        ),
        &__values,
    );
    __call
        .refresh(
            (name,),
            |_| ::std::vec::Vec::new(),
            |(name,)| {
                let __owned_self = ::core::clone::Clone::clone(self);
                let __owned_name = ::std::borrow::ToOwned::to_owned(name);
                async move {
                    let __self = &__owned_self;
                    let name: &str = ::core::borrow::Borrow::borrow(&__owned_name);
                    ::larder::__private::within(
                            ::core::time::Duration::from_millis(2000u64),
                            async move {
                                #[allow(unreachable_code, clippy::diverging_sub_expression)]
                                if let ::core::option::Option::Some(__returned) = ::core::option::Option::None::<
                                    Result<Option<Recruiter>, DbError>,
                                > {
                                    return __returned;
                                }
                                __self.query(name).await
                            },
                        )
                        .await
                }
            },
        )
        .await
}
