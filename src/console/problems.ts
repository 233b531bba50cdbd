import type { DeviceProblem } from '../devices/device.ts'
import { type Message, message } from '../redfish/messages/message.ts'

/** What a client is told of a device that could not be asked, or did not do it: what, and why; `name` is how the client calls it. */
export function problemMessages({ kind, detail }: DeviceProblem, name: string): Message[] {
  const why = message('Redflash.DeviceFailed', name, detail)
  switch (kind) {
    case 'unreachable':
    case 'untrusted':
      return [message('Base.CouldNotEstablishConnection', name), why]
    case 'unauthorized':
      return [message('Base.ResourceAtUriUnauthorized', name, detail)]
    case 'unsupported':
    case 'refused':
      return [message('Redflash.DeviceRefused', name, detail)]
    case 'busy':
      return [message('Base.ResourceInUse'), why]
    case 'failed':
      return [message('Base.OperationFailed'), why]
  }
}

/** The status of an answer that says so: what the client gave is wrong, or the device is. */
export function problemStatus({ kind }: DeviceProblem): number {
  const statuses = { unreachable: 400, untrusted: 400, unauthorized: 400, unsupported: 400, refused: 400 }
  return { ...statuses, busy: 503, failed: 500 }[kind]
}
