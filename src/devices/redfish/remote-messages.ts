import type { ReadMessage } from '../../client/message-reading.ts'
import { type Message, message, ownMessage } from '../../redfish/messages/message.ts'
import { referencePath, uris } from '../../redfish/uris.ts'
import type { DeviceProblem } from '../device.ts'

/** Of what a device says, so much is passed on. */
const MAX_MESSAGES = 16
const MAX_TEXT = 500

/** Says that an image was left alone, or why, or what went wrong; some are OK by their severity, and some services send none. */
const failures = new Set([
  'TransferFailed',
  'VerificationFailed',
  'ApplyFailed',
  'ActivateFailed',
  'NoTargetsDetermined',
  'UpdateSkipped',
  'UpdateSkippedSameVersion',
  'UpdateSkippedVersionTooLow',
  'UpdateNotApplicable',
])

/** Whether a message is of this inventory item, or of none: what else an image is for is somebody else's. */
export function concerns({ args }: ReadMessage, target: string): boolean {
  const items = target.slice(0, target.lastIndexOf('/') + 1)
  const named = args.map(referencePath).filter((arg) => arg.startsWith(items))
  // An action of a system is below it.
  return named.length === 0 || named.some((arg) => arg === target || arg.startsWith(`${target}/`))
}

/** Whether a message says that something went wrong. */
export function isFailure({ key, severity }: ReadMessage): boolean {
  return failures.has(key) || severity === 'Critical'
}

/** What a device has said of its failure, in our words where we have such. */
export function passedOn(
  said: readonly ReadMessage[],
  { target, component }: { readonly target: string; readonly component: string },
): readonly Message[] {
  const failed = said.filter(isFailure)
  const warnings = said.filter(({ severity }) => severity === 'Warning')
  const told = failed.length > 0 ? failed : warnings.length > 0 ? warnings : said.slice(-1)
  return told.slice(-MAX_MESSAGES).map((one) => ownOf(one, target, component))
}

/** A device's names are not ours: its item and its service are our component, whatever else it names makes no sense here. */
function ownOf({ id, args, text }: ReadMessage, target: string, component: string): Message {
  const named = args.map((arg) =>
    [target, uris.updateService].includes(referencePath(arg)) ? component : arg,
  )
  const isForeign = named.some((arg) => arg !== component && arg.startsWith('/'))
  const own = isForeign ? undefined : ownMessage(id, named)
  return own ?? message('Redflash.DeviceMessage', id.slice(0, MAX_TEXT), text.slice(0, MAX_TEXT))
}

/** A problem with a device, as messages tell it. */
export function problemMessage(component: string, { detail }: DeviceProblem): Message {
  return message('Redflash.DeviceFailed', component, detail.slice(0, MAX_TEXT))
}
