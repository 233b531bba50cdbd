import type { DeviceRequest } from '../../bmc/device-request.ts'
import { type Firmware, noFirmware, updateStatuses } from '../../devices/mqtt/firmware.ts'
import type { Outcome } from '../../devices/mqtt/follow.ts'
import { reasonOf } from '../../devices/mqtt/reasons.ts'
import { type Message, message } from '../../redfish/messages/message.ts'
import { parameterOf } from './wish.ts'

/** A device, as messages of a step speak of it. */
export interface Target {
  readonly key: string
  /** Its system, while it is attached. */
  readonly uri: string
  /** How messages name the image. */
  readonly image: string
}

/**
 * How messages name the image of a request, or that which its device was told of before: never by where it lies, for
 * whoever knows that could fetch it.
 */
export function imageOf(request: DeviceRequest, known: Firmware = noFirmware): string {
  const uri = URL.parse(parameterOf(request, 'uri') ?? '')
  const file = uri?.pathname.split('/').at(-1) ?? ''
  const given = parameterOf(request, 'name') || parameterOf(request, 'version') || file
  return given || known.name || known.version || 'firmware'
}

/** What a step tells when its device is asked. */
export function toldAtBegin({ action }: DeviceRequest, { image, uri }: Target): readonly Message[] {
  if (action === 'firmware/download') return [message('Update.TransferringToComponent', image, uri)]
  if (action === 'firmware/update') return [message('Update.InstallingOnComponent', image, uri)]
  return []
}

/** What a step tells at its end. */
export function toldAtEnd(request: DeviceRequest, target: Target, outcome: Outcome): readonly Message[] {
  const { action } = request
  const { image, uri } = target
  if (outcome.ok) {
    if (action === 'firmware/download') return [message('Update.AwaitToActivate', image, uri)]
    return [
      action === 'firmware/update' ? message('Update.UpdateSuccessful', uri, image) : message('Base.Success'),
    ]
  }
  const { problem } = outcome
  if (problem.kind === 'told') {
    if (problem.status === updateStatuses.verificationFailed)
      return [message('Update.VerificationFailed', image, uri)]
    const why = reasonOf(problem.status, { ...target, uri: parameterOf(request, 'uri') ?? '' })
    return [why, ...failure(action, target)]
  }
  const isTimeout = problem.kind === 'unreachable'
  return [
    message('Redflash.DeviceFailed', target.key, problem.detail),
    ...(isTimeout ? [message('Base.OperationTimeout')] : []),
    ...failure(action, target),
  ]
}

/** The standard's words for it. */
function failure(action: string, { image, uri }: Target): readonly Message[] {
  if (action === 'firmware/download') return [message('Update.TransferFailed', image, uri)]
  return action === 'firmware/update' ? [message('Update.ApplyFailed', image, uri)] : []
}
