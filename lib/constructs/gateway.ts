import { Construct } from "constructs";
import {
  findings,
  gatewayOf,
  gatewaySchema,
  type GatewayDocument,
  type GatewaySettings,
} from "../blueprint/index.ts";
import { brand, branded } from "./brand.ts";
import { messageOf } from "./message.ts";

/**
 * K3s in a container: the Kubernetes of an environment whose target is `gateway`. The container is privileged, since K3s
 * starts containers of its own in it: whoever gets out of a pod there is root on the machine.
 */
export class Gateway extends Construct {
  /** What was asked for, with what `override` changed. */
  props: GatewayDocument;

  constructor(scope: Construct, id: string, props: GatewayDocument = {}) {
    super(scope, id);
    brand(this, "Gateway");
    this.props = props;
    this.node.addValidation({ validate: () => findings(gatewaySchema, this.props).map(messageOf) });
  }

  static isInstance(value: unknown): value is Gateway {
    return branded(value, "Gateway");
  }

  /** Replaces properties: the way for aspects and for whoever wraps a gateway. */
  override(props: Partial<GatewayDocument>): this {
    this.props = { ...this.props, ...props };
    return this;
  }

  get settings(): GatewaySettings {
    return gatewayOf(this.props);
  }
}
