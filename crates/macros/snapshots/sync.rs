fn size(larder: &Larder, path: &Path) -> Result<u64, io::Error> {
    fn __here() {}
    static __POLICY: ::std::sync::LazyLock<::larder::FillPolicy> = ::std::sync::LazyLock::new(||
    ::larder::FillPolicy::new(::larder::__private::path_of(&__here)));
    let __values = ::larder::Values::of_static(
        &__POLICY,
        ::larder::Codec::json(),
        |_| ::larder::CacheHints::new(),
    );
    let __larder = ::core::option::Option::Some(::larder::HasLarder::larder(larder));
    let __call = ::larder::__private::Call::new(__larder, &(&path, ()), &__values);
    ::larder::__private::answer(
        __larder,
        __call,
        |__call| {
            __call
                .fill(
                    (larder, path),
                    |_| ::std::vec::Vec::new(),
                    |(larder, path)| async move {
                        ::larder::__private::here(move || -> Result<u64, io::Error> {
                            let _ = &larder;
                            Ok(std::fs::metadata(path)?.len())
                        })
                    },
                )
        },
    )
}
