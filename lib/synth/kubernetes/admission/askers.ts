/** Who asks, in CEL: the cluster's own programs, under the names that Kubernetes gives them. */

/** What runs in `kube-system`. Whoever can put a program there administers the cluster. */
export const ofCluster = `(request.userInfo.username == "system:kube-controller-manager" ||
  request.userInfo.username.startsWith("system:serviceaccount:kube-system:"))`;

/**
 * One controller: by its own account, or by that of all where they share one
 * (`kube-controller-manager --use-service-account-credentials`).
 * @param controller an expression: `"replicaset"`
 */
export const madeBy = (controller: string): string =>
  `request.userInfo.username in ["system:kube-controller-manager",
  "system:serviceaccount:kube-system:" + ${controller} + "-controller"]`;
