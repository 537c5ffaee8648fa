/**
 * The one module that knows which cdk8s and which cdk8s-plus there are. What the API of 1.28 lacks in types is made with
 * `ApiObject` and a plain manifest.
 */
export { ApiObject, App, Chart, JsonPatch } from "cdk8s";
export { k8s } from "cdk8s-plus-28";
