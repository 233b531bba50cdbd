import type { DeviceAddress, DeviceFacts, DeviceProblem, OnDevice } from '../devices/device.ts'
import type { ActivationJob, FlashResult } from '../devices/flasher.ts'
import type { Clock } from '../lib/clock.ts'
import { fail, type Result, succeed } from '../lib/result.ts'
import { type Message, message } from '../redfish/messages/message.ts'
import { compareVersions } from '../update/version.ts'

/** A device that is done may say its new version a moment later: so long it is asked again, and so often. */
const SETTLE_MS = 300_000
const AGAIN_MS = 5_000

interface Awaited {
  /** Of the image; empty where nobody knows it. */
  readonly wanted: string
  /** What the device has said that it runs. */
  readonly said: string | undefined
  /** What it says now; `undefined` while it says nothing, empty where it does not know. */
  readonly ask: () => Promise<string | undefined>
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** What a device runs that should run another version by now; `undefined`: it does, or nobody can compare. */
export async function otherVersion({
  wanted,
  said,
  ask,
  clock,
  signal,
}: Awaited): Promise<string | undefined> {
  if (wanted === '') return undefined
  const isAsHoped = (version: string | undefined): boolean =>
    version === '' || (version !== undefined && isVersion(version, wanted))
  let running = said ?? (await ask())
  for (const since = clock.now(); !isAsHoped(running) && clock.now() - since < SETTLE_MS;) {
    await clock.sleep(AGAIN_MS, signal)
    running = (await ask()) ?? running
  }
  return isAsHoped(running) ? undefined : running
}

/** An image may name a version without the number of its build. */
function isVersion(running: string, wanted: string): boolean {
  return compareVersions(running, wanted) === 0 || running.startsWith(`${wanted}.`)
}

/** How a device is asked. */
interface Asking {
  readonly clock: Clock
  readonly look: (device: DeviceAddress, signal: AbortSignal) => Promise<Result<DeviceFacts, DeviceProblem>>
}

/** What an activation that went well comes to: a device that runs another version than its image's has failed all the same. */
export async function checked(
  result: FlashResult,
  { version: wanted, component, device, firmware, signal }: ActivationJob & OnDevice,
  { clock, look }: Asking,
): Promise<FlashResult> {
  if (!result.ok) return result
  let latest = result.value?.version
  const ask = async (): Promise<string | undefined> => {
    const looked = await look(device, signal)
    if (!looked.ok) return undefined
    return (latest = looked.value.firmware.find(({ id }) => id === firmware.id)?.version ?? '')
  }
  const other = await otherVersion({ wanted, said: latest, ask, clock, signal })
  if (other === undefined) return latest === undefined ? result : succeed({ version: latest })
  return fail({ kind: 'failed', why: [whyOther(component.uri, other, { wanted, before: firmware.version })] })
}

function whyOther(
  uri: string,
  running: string,
  { wanted, before }: { readonly wanted: string; readonly before: string },
): Message {
  return running === before
    ? message('Redflash.DeviceKeptVersion', uri, running, wanted)
    : message('Redflash.DeviceRunsOtherVersion', uri, running, wanted)
}
