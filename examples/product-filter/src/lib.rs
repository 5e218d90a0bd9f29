//! Products with their stock: two services, joined by the product's name.
use serde_json::{Map, Value, json};
use sluicegate_sdk::prelude::*;

/// The filter.
#[derive(Debug, Default)]
pub struct ProductFilter;

impl RequestFilter for ProductFilter {
    fn on_request(&self, request: &Request<'_>) -> RequestDecision {
        if request.authority() != "product-filter" || request.path() != "/products" {
            return next().into();
        }
        let products = call("products", "product-service", "/products").accept(200);
        let stock = call("stock", "inventory-service", "/products").accept(200).deadline(500);
        gather().call(products).call(stock.optional()).deadline(3_000).into()
    }
}

impl GatherFilter for ProductFilter {
    type State = ();

    fn on_gathered(&self, _: &Request<'_>, (): (), outcomes: Outcomes) -> RequestDecision {
        let mut products = match outcomes.json::<Value>("products") {
            Ok(mut answer) => answer["products"].take(),
            Err(error) => return respond(502).json(&json!({"errors": {"products": error.to_string()}})).into(),
        };
        let stock = outcomes.json::<Value>("stock").unwrap_or_default();
        for (name, product) in products.as_object_mut().unwrap_or(&mut Map::new()) {
            product["stock"] = stock["products"][name]["stock"].clone();
        }
        respond(200).json(&json!({ "products": products })).into()
    }
}

sluicegate_sdk::export!(
    ProductFilter,
    hooks: [request, gather],
    call: ["product-service", "inventory-service"],
    priority: -40,
);

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_sdk::testing::{TestRequest, answer_json, trial};

    const PRODUCTS: &str = r#"{"products":{"cup":{"text":"a cup"},"pot":{"text":"a pot"}}}"#;

    fn answer(stock: &Result<CallResponse, CallError>) -> Value {
        let request = TestRequest::get("/products").authority("product-filter");
        let trial = trial(&ProductFilter, &request, |call| match call.name.as_str() {
            "products" => answer_json(PRODUCTS),
            _ => stock.clone(),
        });
        serde_json::from_slice(&trial.answer.expect("an answer").body).expect("JSON")
    }

    #[test]
    fn each_product_has_its_stock() {
        let answer = answer(&answer_json(r#"{"products":{"cup":{"stock":3}}}"#));
        let expected =
            json!({"products": {"cup": {"text": "a cup", "stock": 3}, "pot": {"text": "a pot", "stock": null}}});
        assert_eq!(answer, expected);
    }

    #[test]
    fn products_are_listed_without_the_stock_when_it_fails() {
        assert_eq!(answer(&Err(CallError::Deadline))["products"]["cup"]["stock"], Value::Null);
    }

    #[test]
    fn without_products_there_is_no_list() {
        let request = TestRequest::get("/products").authority("product-filter");
        let trial = trial(&ProductFilter, &request, |_| Err(CallError::Refused));
        assert_eq!(trial.answer.expect("an answer").status, 502);
    }
}
