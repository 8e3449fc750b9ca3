/// Its documentation.
pub async fn recruiter(larder: &Larder, id: u64) -> Result<Recruiter, DbError> {
    fn __here() {}
    static __POLICY: ::std::sync::LazyLock<::larder::FillPolicy> = ::std::sync::LazyLock::new(||
    {
        ::larder::FillPolicy::new(::larder::__private::path_of(&__here))
            .ttl(::larder::Ttl::Of(::core::time::Duration::from_millis(7200000u64)))
            .tag("recruiters")
    });
    let __values = ::larder::Values::of_static(
        &__POLICY,
        ::larder::Codec::json(),
        |_| ::larder::CacheHints::new(),
    );
    let __larder = ::core::option::Option::Some(::larder::HasLarder::larder(larder));
    let __call = ::larder::__private::Call::new(
        __larder,
        &("recruiter:", (::larder::__private::Text(&id), ())),
        &__values,
    );
    __call
        .fill(
            (larder, id),
            |(_, id)| {
                ::std::vec![::larder::Tag::new(::std::format!("recruiter:{}", id))]
            },
            |(larder, id)| async move {
                #[allow(unreachable_code, clippy::diverging_sub_expression)]
                if let ::core::option::Option::Some(__returned) = ::core::option::Option::None::<
                    Result<Recruiter, DbError>,
                > {
                    return __returned;
                }
                let _ = &larder;
                let row = query(id).await?;
                Ok(row.into())
            },
        )
        .await
}
