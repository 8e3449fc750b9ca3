async fn read(&self, path: &Path) -> Result<Option<String>, io::Error> {
    fn __here() {}
    static __POLICY: ::std::sync::LazyLock<::larder::FillPolicy> = ::std::sync::LazyLock::new(||
    ::larder::FillPolicy::new(::larder::__private::path_of(&__here)));
    let __values = ::larder::Values::of_static(
        &__POLICY,
        ::larder::Codec::json(),
        |__value| match __value {
            ::core::option::Option::Some(_) => ::larder::CacheHints::new(),
            ::core::option::Option::None => {
                ::larder::CacheHints::new()
                    .ttl(::larder::Ttl::Named(::larder::NamedTtl::Short))
            }
        },
    );
    let __larder = ::core::option::Option::Some(::larder::HasLarder::larder(self));
    let __call = ::larder::__private::Call::new(
        __larder,
        &(::core::any::type_name::<Self>(), (::larder::__private::Text(&path), ())),
        &__values,
    );
    __call
        .outlive(
            (path,),
            |_| ::std::vec::Vec::new(),
            |(path,)| {
                let __owned_self = ::core::clone::Clone::clone(self);
                let __owned_path = ::std::borrow::ToOwned::to_owned(path);
                async move {
                    ::larder::__private::within(
                            ::core::time::Duration::from_millis(2000u64),
                            async move {
                                ::larder::__private::blocking(move || -> Result<
                                        Option<String>,
                                        io::Error,
                                    > {
                                        let __self = &__owned_self;
                                        let path: &Path = ::core::borrow::Borrow::borrow(
                                            &__owned_path,
                                        );
                                        __self.root.read(path)
                                    })
                                    .await
                            },
                        )
                        .await
                }
            },
        )
        .await
}
