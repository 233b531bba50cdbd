import type { IncomingMessage } from 'node:http'
import type { Bmc } from '../../bmc/bmc.ts'
import type { BodyError } from '../../http/pump.ts'
import type { ReceivedImage, ReceiveOptions, ReceiveProblem } from '../../image/receive.ts'
import { unreachable } from '../../lib/result.ts'
import { type Message, message } from '../../redfish/messages/message.ts'
import type { ParsedParameters } from './parameters.ts'

/** What came in one request, mistakes and all. */
export interface Upload {
  readonly image: ReceivedImage | undefined
  readonly parameters: ParsedParameters | undefined
  /** None: both are there. */
  readonly mistakes: readonly UploadMistake[]
}

export interface UploadMistake {
  readonly status: number
  readonly message: Message
}

export type UploadLimits = Omit<ReceiveOptions, 'fileName'>

/** Receives the body of a push to this BMC. */
export type Receive = (request: IncomingMessage, bmc: Bmc, limits: UploadLimits) => Promise<Upload>

/** How a way to push speaks of its own body. */
export interface Wording {
  readonly empty: Message
  readonly broken: Message
}

export function mistaken(one: Message): UploadMistake {
  return { status: 400, message: one }
}

/** What is told of an image, or of the body around it, that did not come as it should. */
export function refusal(
  { kind }: { readonly kind: ReceiveProblem['kind'] | BodyError['kind'] },
  { empty, broken }: Wording,
): UploadMistake {
  switch (kind) {
    case 'too-large':
      return { status: 413, message: message('Base.PayloadTooLarge') }
    case 'empty':
      return mistaken(empty)
    case 'interrupted':
    case 'malformed':
      return mistaken(broken)
    case 'stalled':
      return { status: 408, message: message('Base.OperationTimeout') }
    case 'no-space':
      return { status: 507, message: message('Base.InsufficientStorage') }
    default:
      return unreachable(kind)
  }
}
