import { buffer } from 'node:stream/consumers'
import { commit } from '../../src/bmc/commit.ts'
import type { ManagedDevice } from '../../src/bmc/managed-device.ts'
import { nextNumber } from '../../src/bmc/numbers.ts'
import type { Flasher, FlashResult } from '../../src/devices/flasher.ts'
import { buildBundle } from '../../src/image/build/bundle.ts'
import type { Clock } from '../../src/lib/clock.ts'
import { fail, succeed } from '../../src/lib/result.ts'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import type { Fetcher } from '../../src/transfer/fetcher.ts'
import { startEmulator, type TestEmulator, type TestOptions } from './emulator.ts'
import { DEVICE_PASSWORD, labDevice, type LabDevice, labMethod, runs } from './managed-devices.ts'
import { push } from './multipart.ts'

export const SECOND_MS = 1_000
/** What every lab device needs for an update, unless something else is planned for it. */
export const UPDATE_MS = 10 * SECOND_MS
/** Enough for any roll-out of a few devices. */
export const LONG_MS = 100 * UPDATE_MS
/** The job of the first roll-out of a console, where nothing else was a job before. */
export const JOB = uris.job('1')

/** What a device does with its next update: how long it takes, and what it fails with. */
export interface Planned {
  readonly ms?: number
  /** How long to bring it into use; no time unless given. */
  readonly activationMs?: number
  readonly fails?: 'transfer' | 'verify' | 'install' | 'activate'
  /** So many times; always unless given. */
  readonly times?: number
  /** Where its update is cancelled it says, after so long, that it installs it all the same. */
  readonly persistsAfterMs?: number
}

/** Devices that outlive the consoles that manage them. */
export interface Lab {
  readonly devices: LabDevice[]
  /** Plans by the Ids of devices. */
  readonly plans: Map<string, Planned>
  /** The Ids of devices whose firmware was written, in order: once for each installation. */
  readonly written: string[]
  /** How many were written at the same time at most. */
  busiest: number
}

export type RolloutLab = TestEmulator & {
  readonly lab: Lab
  readonly devices: Lab['devices']
  /** From now on the device is there, by its name, and may be attached as the next. */
  readonly reach: (device: LabDevice) => void
}

/** A console with so many devices, whose Ids are `1` and so on. */
export async function startLab(
  count: number,
  options: TestOptions & { lab?: Lab } = {},
): Promise<RolloutLab> {
  const { lab = newLab(count), ...others } = options
  const byName: Record<string, LabDevice> = Object.fromEntries(
    lab.devices.map((device) => [device.facts.name, device]),
  )
  const emulator: TestEmulator = await startEmulator({
    machine: 'console',
    methods: [labMethod(byName)],
    flasher: labFlasher(lab, () => emulator.clock),
    ...others,
  })
  if (options.after === undefined) attachAll(emulator, lab)
  const reach = (device: LabDevice): void => {
    byName[device.facts.name] = device
    lab.devices.push(device)
  }
  return { ...emulator, lab, devices: lab.devices, reach }
}

/** A lab with so many devices. */
export function newLab(count: number): Lab {
  const devices = Array.from({ length: count }, (_, index) => labDevice(`lab-${index + 1}`))
  return { devices, plans: new Map(), written: [], busiest: 0 }
}

/** At once, as if each had been attached by a client. */
function attachAll({ bmc, clock }: TestEmulator, { devices }: Lab): void {
  nextNumber(bmc, 'devices', devices.length)
  const now = clock.now()
  const attached = devices.map(({ facts }, index): readonly [string, ManagedDevice] => {
    const id = String(index + 1)
    const address = { hostName: facts.name, userName: 'me', password: DEVICE_PASSWORD }
    return [id, { id, method: 'Lab', address, facts, isReachable: true, attachedAt: now, seenAt: now }]
  })
  commit(bmc, { devices: attached })
}

/** Writes the devices as they are planned, in virtual time. */
function labFlasher(lab: Lab, clock: () => Clock): Flasher {
  let busy = 0
  const stage =
    (name: NonNullable<Planned['fails']>, work: Flasher['activate'] = async () => succeed(undefined)) =>
    async (job: Parameters<Flasher['activate']>[0]): Promise<FlashResult> => {
      const id = job.component.on?.device ?? ''
      const planned = lab.plans.get(id)
      if (name === 'transfer') {
        lab.busiest = Math.max(lab.busiest, ++busy)
        try {
          await clock().sleep(planned?.ms ?? UPDATE_MS, job.signal)
        } finally {
          busy--
        }
      }
      if (planned?.fails !== name) return work(job)
      const { times = Infinity } = planned
      if (times <= 1) lab.plans.delete(id)
      else lab.plans.set(id, { ...planned, times: times - 1 })
      return fail({ kind: 'failed' })
    }
  return {
    transfer: stage('transfer'),
    verify: stage('verify'),
    install: stage('install', async (job) => {
      lab.written.push(job.component.on?.device ?? '')
      return succeed(undefined)
    }),
    activate: stage('activate', async ({ component, version, signal }) => {
      const { activationMs } = lab.plans.get(component.on?.device ?? '') ?? {}
      if (activationMs !== undefined) await clock().sleep(activationMs, signal)
      const device = lab.devices[Number(component.on?.device) - 1]
      if (device !== undefined) runs(device, component.on?.firmware ?? '', version)
      return succeed(undefined)
    }),
    withdrawal: ({ component: { on } }) => {
      const ms = lab.plans.get(on?.device ?? '')?.persistsAfterMs
      return ms === undefined
        ? undefined
        : async ({ signal }) => {
            await clock().sleep(ms, signal)
            return succeed('install')
          }
    },
    release: () => {},
  }
}

/** An image for firmware of lab devices. */
export const labImage = (versions: Readonly<Record<string, string>>): Promise<Buffer> =>
  buffer(
    buildBundle(
      Object.entries(versions).map(([name, version]) => ({
        name,
        version,
        softwareId: `lab-${name.toLowerCase()}`,
        sizeBytes: 1_024,
      })),
    ),
  )

/** What most stories roll out: lab devices leave the factory with an older BIOS. */
export const bios = await labImage({ BIOS: '2.0.0' })

/** Whatever is fetched is this image, called `bios.tar`. */
export const serving = (image: Buffer): Fetcher => ({
  open: async () => {
    const body = async function* () {
      yield image
    }
    return succeed({ fileName: 'bios.tar', sizeBytes: image.length, body: body() })
  },
})

/** Asks for a roll-out: the answer. */
export function pushRollOut(
  emulator: TestEmulator,
  image: Buffer,
  RollOut: JsonObject,
  more: JsonObject = {},
) {
  return push(emulator, image, { Oem: { Redflash: { RollOut, ...more } } })
}

/** The versions that devices run, one after the other. */
export const versionsOf = ({ lab }: Pick<RolloutLab, 'lab'>, firmware = 'BIOS'): (string | undefined)[] =>
  lab.devices.map(({ facts }) => facts.firmware.find(({ id }) => id === firmware)?.version)

/** The states of a job, or of a step, and of those that are below it. */
export async function statesOf({ get }: TestEmulator, job: string): Promise<unknown[]> {
  const { Members = [] } = await get(uris.steps(job))
  const steps = (Members as unknown as { readonly '@odata.id': string }[]).map((one) => get(one['@odata.id']))
  return (await Promise.all(steps)).map(({ JobState }) => JobState)
}
