import { Delivery } from './delivery.js';
import type { DeliveryRoute } from './delivery-route.js';
import type { Rpc, RpcCall } from './rpc.js';
import { unserializable } from './rpc-errors.js';

/** The way of one RPC to the wire, top to bottom: encode, find a connection, send, decode; and again where that is safe. */
export class Gateway {
  constructor(private readonly route: DeliveryRoute) {}

  /**
   * Sends one RPC within its call's deadline. What came of it beside the answer stands in `rpc.delivered` if that is a refusal.
   *
   * @throws RpcError when there is no answer
   */
  send(rpc: Rpc, call: RpcCall): Promise<object> {
    let message: Uint8Array;
    try {
      message = rpc.method.serialize(rpc.request);
    } catch (error) {
      return Promise.reject(unserializable(rpc, error as Error));
    }
    return new Delivery(rpc, message, call, this.route).begin();
  }
}
