import type { DeviceRequest } from '../../bmc/device-request.ts'
import { type Action, actions, description } from '../../devices/mqtt/actions.ts'
import { bootAgain } from '../../devices/mqtt/boot.ts'
import { describe } from '../../devices/mqtt/describe.ts'
import { type Firmware, noFirmware, readDownload, readUpdate, states } from '../../devices/mqtt/firmware.ts'
import { follow, type Following, OBSERVED, type Outcome, PATIENCE_MS } from '../../devices/mqtt/follow.ts'
import type { ManagedDevices } from '../../devices/mqtt/manager.ts'
import type { Clock } from '../../lib/clock.ts'
import { fail } from '../../lib/result.ts'
import { observeWhenHere } from '../../devices/mqtt/until-here.ts'
import { otherVersion } from '../version-check.ts'
import { parameterOf } from './wish.ts'

export interface AskOptions {
  readonly clock: Clock
  /** `undefined`: this console reaches no devices by MQTT. */
  readonly mqtt: ManagedDevices | undefined
}

export interface Question {
  readonly key: string
  readonly request: DeviceRequest
  /** Whether it may have been asked before, by a console that is gone: what it has begun it is not asked for again. */
  readonly mayBeAsked: boolean
}

type Reach = AskOptions & { readonly mqtt: ManagedDevices }

/** Has a device do what a request wants, and follows it to the end. */
export async function ask(reach: Reach, question: Question, signal: AbortSignal): Promise<Outcome> {
  const { clock, mqtt: manager } = reach
  const { key, request, mayBeAsked } = question
  const action = request.action as Action // of a wish that was judged
  if (action === 'device/reboot' || action === 'device/factoryReset') {
    if (mayBeAsked) return unknown(key, action)
    return bootAgain({ manager, clock, key, action, patienceMs: PATIENCE_MS }, signal)
  }
  const read = action === 'firmware/download' ? readDownload : readUpdate
  const following = { manager, clock, key, action, read, patienceMs: PATIENCE_MS }
  if (mayBeAsked) {
    const observed = await observeWhenHere({ clock, manager }, key, signal)
    if (!observed.ok) return observed
    const { firmware = noFirmware } = manager.device(key) ?? {}
    // One that knows of no image has not told what became of it.
    const { kind } = read(firmware)
    if (firmware === noFirmware || (kind === 'done' && firmware.uri === '')) return unknown(key, action)
    if (kind !== 'waiting')
      return followed({ ...following, isAsked: true }, { wanted: versionIn(request, firmware), signal })
  }
  const known = manager.device(key)?.firmware
  const field = fieldOf(action, request, known)
  const described = field && (await describe({ manager, clock, key, field }, signal))
  if (described?.ok === false) return described
  return followed(following, { wanted: versionIn(request, known), signal })
}

/** The version that runs when a request is done, where that is known. */
function versionIn(request: DeviceRequest, known: Firmware = noFirmware): string {
  return request.action === 'firmware/update' ? (parameterOf(request, 'version') ?? known.version) : ''
}

/** What a device comes to: one that says that all is well, and still runs another version, has not done it. */
async function followed(
  following: Following,
  { wanted, signal }: { readonly wanted: string; readonly signal: AbortSignal },
): Promise<Outcome> {
  const outcome = await follow(following, signal)
  if (!outcome.ok) return outcome
  const { manager, clock, key } = following
  const asked = async (): Promise<string> => manager.device(key)?.info.fwVersion ?? ''
  const other = await otherVersion({ wanted, said: undefined, ask: asked, clock, signal })
  return other === undefined
    ? outcome
    : fail({ kind: 'failed', detail: `it runs the version ${other}, and not ${wanted}` })
}

/** What a device is told before it is asked; nothing before an update of which nothing new is said. */
function fieldOf(
  action: Extract<Action, `firmware/${string}`>,
  request: DeviceRequest,
  known: Firmware = noFirmware,
): ReturnType<typeof description> | undefined {
  const given = Object.fromEntries(request.parameters.map(({ name, value }) => [name, value]))
  if (action === 'firmware/download') return description({ uri: known.uri, ...given })
  // What is not said again is as it was told with the download.
  return request.parameters.length === 0
    ? undefined
    : description({ ...known, ...given, state: states.downloaded })
}

function unknown(key: string, action: Action): Outcome {
  return fail({ kind: 'failed', detail: `${key} does not say what became of ${action}` })
}

/** How long the answer to a request waits for devices to say what they do. */
const LEARN_MS = 5_000

/** Asks these devices what they do now, where that is not known. */
export async function learn({ clock, mqtt }: Reach, keys: readonly string[], action: Action): Promise<void> {
  if (actions[action].needs !== 'firmwareActions') return
  const asked = keys.filter((key) => mqtt.device(key)?.firmware === noFirmware)
  const over = new AbortController()
  const cancelTimer = clock.schedule(LEARN_MS, () => over.abort(new Error('too late')))
  const all = asked.map(async (key) => {
    await mqtt.observe(key, OBSERVED, over.signal)
    mqtt.cancel(key, OBSERVED)
  })
  await Promise.allSettled(all)
  cancelTimer()
}
