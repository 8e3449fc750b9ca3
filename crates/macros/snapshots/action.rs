async fn rename(&self, recruiter: Recruiter, by: &str) -> Result<(), DbError> {
    let __tags: ::std::vec::Vec<::larder::Tag> = ::std::vec![
        ::larder::Tag::new(::std::format!("recruiters"))
    ];
    let __action_0 = ::larder::__private::tags_of(
        &RecruiterRenamed {
            by: ::core::clone::Clone::clone(&by),
            id: ::core::clone::Clone::clone(&recruiter.id),
            now: clock.now(),
        },
    );
    let __action_1 = ::larder::__private::tags_of(&Seen);
    let __larder = ::core::option::Option::<
        &::larder::Larder,
    >::cloned(::core::option::Option::Some(::larder::HasLarder::larder(self)));
    let __returned: Result<(), DbError> = async move {
        #[allow(unreachable_code, clippy::diverging_sub_expression)]
        if let ::core::option::Option::Some(__returned) = ::core::option::Option::None::<
            Result<(), DbError>,
        > {
            return __returned;
        }
        self.update(recruiter, by).await
    }
        .await;
    if ::core::result::Result::is_ok(&__returned) {
        ::larder::__private::forget(__larder.as_ref(), __tags).await;
        ::larder::__private::forget_action(__larder.as_ref(), __action_0).await;
        ::larder::__private::forget_action(__larder.as_ref(), __action_1).await;
    }
    __returned
}
