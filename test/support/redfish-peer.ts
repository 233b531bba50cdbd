import { findComponent } from '../../src/bmc/bmc.ts'
import type { DeviceAddress } from '../../src/devices/device.ts'
import type { RedfishOptions } from '../../src/devices/redfish/redfish-adapter.ts'
import { createRedfishAdapter } from '../../src/devices/redfish/redfish-adapter.ts'
import type { EmulatorOptions } from '../../src/index.ts'
import { type Clock, systemClock } from '../../src/lib/clock.ts'
import { uris } from '../../src/redfish/uris.ts'
import { deviceJob, stages } from '../contracts/device-adapter.ts'
import type { JobOptions } from '../contracts/flasher.ts'
import type { FlashResult } from '../../src/devices/flasher.ts'
import { PASSWORD } from './emulator.ts'
import { startWire } from './wire.ts'

/** How many times faster time passes for devices, and for who waits for them. */
const HURRY = 100

/** Real time, of which less is waited than is asked for. */
export const hurried: Clock = {
  ...systemClock,
  now: () => systemClock.now() * HURRY,
  sleep: (ms, signal) => systemClock.sleep(ms / HURRY, signal),
}

/** The emulator on real sockets, and an adapter that reaches it. */
export async function startPeer(
  options: EmulatorOptions & { readonly adapter?: Partial<RedfishOptions> } = {},
) {
  const { adapter: given, ...settings } = options
  const idle = openSockets()
  const wire = await startWire({ speed: HURRY, ...settings })
  const adapter = createRedfishAdapter({ clock: hurried, ...given })
  const address: DeviceAddress = {
    hostName: wire.emulator.url ?? wire.emulator.httpsUrl ?? '',
    userName: 'admin',
    password: PASSWORD,
  }
  const look = async () => {
    const seen = await adapter.look(address, new AbortController().signal)
    if (!seen.ok) throw new Error(seen.problem.detail)
    return seen.value
  }
  const job = async (id: string, image: Buffer, more: JobOptions & { readonly version: string }) => {
    const firmware = (await look()).firmware.find((one) => one.id === id)
    if (firmware === undefined) throw new Error(`no firmware ${id}`)
    return deviceJob(address, firmware, { ...more, image })
  }
  return {
    ...wire,
    adapter,
    address,
    look,
    job,
    /** What each stage comes to, up to the first that fails. */
    update: async (id: string, image: Buffer, more: JobOptions & { readonly version: string }) => {
      const one = await job(id, image, more)
      const results: FlashResult[] = []
      for (const stage of stages) if (results.every(({ ok }) => ok)) results.push(await adapter[stage](one))
      return results
    },
    versionOf: (id: string) => findComponent(wire.bmc, id)?.now.version,
    /** The version that it left the factory with. */
    before: (id: string) => findComponent(wire.bmc, id)?.factory.version,
    /** What is open on our account, the images included that the machine is still at. */
    open: async (): Promise<string[]> => {
      return [
        ...[...wire.bmc.state.sessions.keys()].map((id) => `session ${id}`),
        ...(await wire.spooled()).map((file) => `image ${file}`),
        ...Array.from({ length: openSockets() - idle }, () => 'socket'),
      ]
    },
    resets: () =>
      [...wire.bmc.state.auditLog.values()]
        .filter(({ message: { MessageId }, origin }) => MessageId.endsWith('.Success') && isReset(origin))
        .map(({ origin }) => origin.replace(`${uris.root}/`, '')),
  }
}

function isReset(origin: string): boolean {
  return origin.startsWith(`${uris.systems}/`) || origin.startsWith(`${uris.managers}/`)
}

/** Of this process, at both ends; whoever listens is none. */
function openSockets(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length
}
