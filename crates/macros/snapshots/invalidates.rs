async fn save(larder: &Larder, recruiter: Recruiter) -> Result<(), DbError> {
    let __tags: ::std::vec::Vec<::larder::Tag> = ::std::vec![
        ::larder::Tag::new(::std::format!("recruiters")),
        ::larder::Tag::new(::std::format!("recruiter:{}", recruiter.id))
    ];
    let __larder = ::core::option::Option::<
        &::larder::Larder,
    >::cloned(::core::option::Option::Some(::larder::HasLarder::larder(larder)));
    let __returned: Result<(), DbError> = async move {
        #[allow(unreachable_code, clippy::diverging_sub_expression)]
        if let ::core::option::Option::Some(__returned) = ::core::option::Option::None::<
            Result<(), DbError>,
        > {
            return __returned;
        }
        let _ = &larder;
        insert(recruiter).await
    }
        .await;
    if ::core::result::Result::is_ok(&__returned) {
        ::larder::__private::forget(__larder.as_ref(), __tags).await;
    }
    __returned
}
