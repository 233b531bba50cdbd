import { type DeviceStageName, deviceStages } from '../../../src/bmc/device-faults.ts'
import { uris } from '../../../src/redfish/uris.ts'
import { NIC_1, nicImage, stages } from '../device-stages.ts'
import type { TestEmulator } from '../emulator.ts'
import { bundleOf } from '../images.ts'
import { push } from '../multipart.ts'
import { LONG_MS, reset } from '../updates.ts'
import type { Begun, Failure, Told } from './failure.ts'

export const SYSTEM = uris.system('1')
const MANAGER = uris.manager('1')
export const asJob = { awaitReset: 'job' } as const
const toldOfJob = [`Update.OperationTransitionedToJob(${uris.job('1')})`]
export const becomesJob = {
  after: 'AllTargetsDetermined',
  told: toldOfJob,
  task: 'Completed OK',
  monitor: 200,
} as const
export const resetNeeded = (resource: string, action: string): string =>
  `Base.ResetRequired(${uris.action(resource, action)}, GracefulRestart)`

const biosImage = await bundleOf({ BIOS: '1.9.0' })
const bmcImage = await bundleOf({ 'BMC-Primary': '2.4.0' })
export const psuImage = await bundleOf({ 'PSU-1': '1.8.0.0' })

/** Pushes an image, and lets its update begin. */
export async function pushed(emulator: TestEmulator, image: Buffer, parameters = {}): Promise<Begun> {
  await push(emulator, image, parameters)
  await emulator.clock.advance(1)
  return {}
}

/** The messages of one device's stages, until then. */
export function stagesUntil(last: DeviceStageName, image: string, target: string): string[] {
  return deviceStages
    .slice(0, deviceStages.indexOf(last) + 1)
    .map((stage) => `Update.${stages[stage].begun}(${image}, ${target})`)
}

/** The first network adapter, in its task. */
const inTask: readonly Failure[] = deviceStages.map((at) => {
  const { begun, failed, answer, damages = false } = stages[at]
  return {
    what: `a device that fails to ${at}, in a task`,
    options: { devices: { 'NIC-1': { fail: { at, after: '40%', times: 1 } } } },
    begin: (emulator) => pushed(emulator, nicImage),
    until: ({ clock }) => clock.advance(LONG_MS),
    expected: {
      after: begun,
      told: [`Update.${failed}(NIC-1 22.42.1, ${NIC_1})`],
      task: 'Exception Critical',
      monitor: answer,
      shown: { 'NIC-1': `22.41.1000 Enabled ${damages ? 'Critical' : 'OK'}` },
      log: [`${failed} NIC-1`],
    },
  }
})

/** A component that a reset brings into use, and what becomes of it and its like at each stage that fails. */
interface Reset {
  readonly id: string
  readonly version: string
  readonly image: Buffer
  readonly resource: string
  readonly action: string
  readonly shown: (at: DeviceStageName) => Readonly<Record<string, string>>
  /** What is said in the log when it fails to boot. */
  readonly alsoLogged: readonly string[]
}

const resets: readonly Reset[] = [
  {
    id: 'BIOS',
    version: '1.9.0',
    image: biosImage,
    resource: SYSTEM,
    action: 'ComputerSystem.Reset',
    // The bank that runs is never written to.
    shown: () => ({ BIOS: '1.8.0 Enabled OK' }),
    alsoLogged: [],
  },
  {
    id: 'BMC-Primary',
    version: '2.4.0',
    image: bmcImage,
    resource: MANAGER,
    action: 'Manager.Reset',
    shown: (at) => {
      const state = at === 'activate' ? 'StandbySpare' : 'Enabled'
      const other = at === 'activate' ? 'Enabled' : 'StandbySpare'
      const health = stages[at].damages === true ? 'Critical' : 'OK'
      return { 'BMC-Primary': `2.3.1 ${state} ${health}`, 'BMC-Backup': `2.3.0 ${other} OK` }
    },
    alsoLogged: ['ManagerSwitchedToBackupSoftwareImage 1'],
  },
]

const inJob: readonly Failure[] = resets.flatMap((component) =>
  deviceStages.map((at) => failsInJob(component, at)),
)

function failsInJob(
  { id, version, image, resource, action, shown, alsoLogged }: Reset,
  at: DeviceStageName,
): Failure {
  const target = uris.firmware(id)
  const name = `${id} ${version}`
  const { failed } = stages[at]
  const last = `Update.${failed}(${name}, ${target})`
  const waits = [`Update.AwaitToActivate(${name}, ${target})`, resetNeeded(resource, action)]
  const isLast = at === 'activate'
  const said = stagesUntil(at, name, target)
  return {
    what: `${id} that fails to ${at}, in a job`,
    options: { adapted: asJob, devices: { [id]: { fail: { at, after: '40%', times: 1 } } } },
    begin: (emulator) => pushed(emulator, image),
    until: async (emulator) => {
      await emulator.clock.advance(LONG_MS)
      if (isLast) await reset(emulator, resource, 'GracefulRestart')
      await emulator.clock.advance(LONG_MS)
    },
    expected: {
      ...becomesJob,
      job: {
        state: 'Exception Critical',
        told: [...(isLast ? waits.slice(1) : []), last],
        steps: [
          {
            state: 'Exception Critical',
            told: isLast ? [...said.slice(0, -1), ...waits, ...said.slice(-1), last] : [...said, last],
          },
        ],
      },
      shown: shown(at),
      log: isLast
        ? [`AwaitToActivate ${id}`, `ResetRequired ${id}`, `${failed} ${id}`, ...alsoLogged]
        : [`${failed} ${id}`],
    },
  }
}

const PSU_1 = uris.firmware('PSU-1')
export const PSU_2 = uris.firmware('PSU-2')
export const psu = 'PSU-1 1.8.0.0'
/** The step of the first of two power supplies. */
export const firstSucceeds: Told = {
  state: 'Completed OK',
  told: [...stagesUntil('activate', psu, PSU_1), `Update.UpdateSuccessful(${PSU_1}, ${psu})`],
}

/** What the task tells of an image for both. */
export const ofBoth = {
  ...becomesJob,
  after: 'UpdateInProgress',
  told: [
    ...[PSU_1, PSU_2].map((target) => `Update.TargetDetermined(${target}, ${psu})`),
    'Update.AllTargetsDetermined',
    ...toldOfJob,
  ],
}

/** Two power supplies, of which the second fails. */
const ofSeveral: readonly Failure[] = deviceStages.map((at) => {
  const { failed, damages = false } = stages[at]
  const last = `Update.${failed}(${psu}, ${PSU_2})`
  return {
    what: `the second of two devices that fails to ${at}`,
    options: { adapted: asJob, devices: { 'PSU-2': { fail: { at, times: 1 } } } },
    begin: (emulator) => pushed(emulator, psuImage),
    until: ({ clock }) => clock.advance(LONG_MS),
    expected: {
      ...ofBoth,
      job: {
        state: 'Exception Critical',
        told: [last, ...firstSucceeds.told.slice(-1)],
        steps: [firstSucceeds, { state: 'Exception Critical', told: [...stagesUntil(at, psu, PSU_2), last] }],
      },
      shown: {
        'PSU-1': '1.8.0.0 Enabled OK',
        'PSU-2': `1.7.3.20 Enabled ${damages ? 'Critical' : 'OK'}`,
      },
      log: [`${failed} PSU-2`, 'UpdateSuccessful PSU-1'],
    },
  }
})

/** Stages 3 to 6: a device says no. */
export const failingDevices: readonly Failure[] = [...inTask, ...inJob, ...ofSeveral]
