//! The reviews service: what people say of products. `GET /reviews/NAME` lists it.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use sluicegate_shop::Service;

/// Knows reviews of some products.
#[derive(Debug)]
pub(crate) struct ReviewsService {
    name: &'static str,
    reviews: Value,
}

impl ReviewsService {
    /// The service itself.
    pub(crate) fn live() -> Self {
        let teapot = json!([{"stars": 5, "text": "Pours well"}, {"stars": 3, "text": "Short, and stout"}]);
        Self { name: "reviews-service", reviews: json!({"teapot": teapot, "cup": [{"stars": 4, "text": "A cup"}]}) }
    }

    /// What was known last year.
    pub(crate) fn archive() -> Self {
        Self { name: "reviews-archive", reviews: json!({"teapot": [{"stars": 5, "text": "Pours well"}]}) }
    }
}

impl Service for ReviewsService {
    fn name(&self) -> &'static str {
        self.name
    }

    fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let product = request.uri().path().strip_prefix("/reviews/");
        let (status, body) = match (request.method(), product) {
            (&Method::GET | &Method::HEAD, Some(product)) => {
                let reviews = self.reviews.get(product).cloned().unwrap_or_else(|| json!([]));
                (StatusCode::OK, json!({"from": self.name, "reviews": reviews}))
            }
            (_, Some(_)) => (StatusCode::METHOD_NOT_ALLOWED, json!({"error": "only GET, HEAD"})),
            (_, None) => (StatusCode::NOT_FOUND, json!({"error": "nothing is here"})),
        };
        let mut response = Response::new(Bytes::from(body.to_string()));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}
