impl<T: ::larder::KeyPart> ::larder::KeyPart for Order<T> {
    fn write_to<__W: ::larder::store::KeyBuffer>(
        &self,
        __key: &mut ::larder::store::KeyWriter<'_, __W>,
    ) {
        match self {
            Self::ByName {} => {
                ::larder::KeyPart::write_to("ByName", __key);
            }
            Self::By(__0) => {
                ::larder::KeyPart::write_to("By", __key);
                ::larder::KeyPart::write_to(__0, __key);
            }
            Self::Near { latitude: __0, longitude: __1 } => {
                ::larder::KeyPart::write_to("Near", __key);
                ::larder::KeyPart::write_to(__0, __key);
                ::larder::KeyPart::write_to(__1, __key);
            }
        }
    }
}
