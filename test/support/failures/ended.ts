import { expect } from 'vitest'
import { type DeviceStageName, deviceStages } from '../../../src/bmc/device-faults.ts'
import { uris } from '../../../src/redfish/uris.ts'
import { NIC_1, nicImage, stages } from '../device-stages.ts'
import type { TestEmulator, TestRequest } from '../emulator.ts'
import { serveHttp } from '../image-server.ts'
import { bundleOf } from '../images.ts'
import { messageKeys } from '../multipart.ts'
import { beginPull, untilConnected, untilFetched } from '../pulls.ts'
import { LONG_MS, reset } from '../updates.ts'
import {
  asJob,
  becomesJob,
  firstSucceeds,
  ofBoth,
  psu,
  PSU_2,
  psuImage,
  pushed,
  resetNeeded,
  stagesUntil,
  SYSTEM,
} from './devices.ts'
import type { Expected, Failure } from './failure.ts'

const TASK = uris.task('1')
const MONITOR = uris.taskMonitor('1')
const JOB = uris.job('1')
const biosImage = await bundleOf({ BIOS: '1.9.0' })
const [bios, BIOS] = ['BIOS 1.9.0', uris.firmware('BIOS')]
const onStart = { '@Redfish.OperationApplyTime': 'OnStartUpdateRequest' }
const waitsForReset = [
  `Update.AwaitToActivate(${bios}, ${BIOS})`,
  resetNeeded(SYSTEM, 'ComputerSystem.Reset'),
]

/** Sends what is answered by this status and, where any is named, this message. */
async function answered(
  { send }: Pick<TestEmulator, 'send'>,
  uri: string,
  request: TestRequest,
  expected: { readonly status: number; readonly keys?: readonly string[] },
): Promise<void> {
  const { status, json } = await send(uri, request)
  expect({ status, keys: messageKeys('error' in json ? json : {}) }).toEqual({ keys: [], ...expected })
}

/** Cancels a task. */
const cancel = (uri: string) => async (emulator: TestEmulator) => {
  await answered(emulator, uri, { method: 'DELETE' }, { status: 202 })
  await emulator.clock.advance(1)
}
const cancelled = (after: string, told: readonly string[] = []): Expected => ({
  after,
  told,
  task: 'Cancelled Warning',
  monitor: 404,
  log: [],
})

/** Cancelled where that is possible. */
const inTask: readonly Failure[] = [TASK, MONITOR].flatMap((uri): Failure[] => [
  {
    what: `an image to be fetched, cancelled by ${uri}`,
    begin: async (emulator) => {
      const { uri: from, connections } = await serveHttp(() => {})
      await beginPull(emulator, { ImageURI: from.href })
      await untilConnected(connections)
      return { uri: from }
    },
    until: async (emulator) => {
      await cancel(uri)(emulator)
      await untilFetched(emulator)
    },
    expected: cancelled('UpdateInProgress'),
  },
  {
    what: `an update that waits for StartUpdate, cancelled by ${uri}`,
    options: { adapted: { startUpdate: 'waiting-tasks' } },
    begin: (emulator) => pushed(emulator, nicImage, onStart),
    until: cancel(uri),
    expected: cancelled('AllTargetsDetermined', [`Update.AwaitToUpdate(NIC-1 22.42.1, ${NIC_1})`]),
  },
  ...(['transfer', 'verify'] as const).map((at): Failure => ({
    what: `a device that hangs as it is to ${at}, cancelled by ${uri}`,
    options: { devices: { 'NIC-1': { fail: { at, how: 'hangs', after: '40%', times: 1 } } } },
    begin: (emulator) => pushed(emulator, nicImage),
    until: async (emulator) => {
      await emulator.clock.advance(LONG_MS)
      await cancel(uri)(emulator)
    },
    expected: cancelled(stages[at].begun),
  })),
])

/** Stages that cannot stop: the update goes on. */
const pastStopping: readonly Failure[] = [
  ['install', 10_000],
  ['activate', 22_000],
].map(([at, ms]) => ({
  what: `a device that is to ${at}, not cancelled`,
  begin: (emulator) => pushed(emulator, nicImage),
  until: async (emulator) => {
    await emulator.clock.advance(Number(ms))
    for (const uri of [TASK, MONITOR])
      await answered(emulator, uri, { method: 'DELETE' }, { status: 409, keys: ['ResourceInUse'] })
    await emulator.clock.advance(LONG_MS)
  },
  expected: {
    after: 'ApplyingOnComponent',
    told: [`Update.UpdateSuccessful(${NIC_1}, NIC-1 22.42.1)`],
    task: 'Completed OK',
    monitor: 200,
    shown: { 'NIC-1': '22.42.1 Enabled OK' },
    log: ['UpdateSuccessful NIC-1'],
  },
}))

/** Gives a job ten minutes, and lets them pass. */
async function timeOut(emulator: TestEmulator): Promise<void> {
  const body = { MaxExecutionTime: 'PT10M' }
  await answered(emulator, JOB, { method: 'PATCH', body }, { status: 200 })
  await emulator.clock.advance(600_000)
}

/** What has become a job, and is ended there. */
const inJob: readonly Failure[] = [
  {
    what: 'a job that waits for a reset, cancelled',
    options: { adapted: asJob },
    begin: (emulator) => pushed(emulator, biosImage),
    until: async (emulator) => {
      await emulator.clock.advance(LONG_MS)
      // Job.Cancel is for what runs.
      await answered(emulator, JOB, { method: 'DELETE' }, { status: 202 })
      await reset(emulator, SYSTEM, 'ForceRestart')
      await emulator.clock.advance(LONG_MS)
    },
    expected: {
      ...becomesJob,
      job: {
        state: 'Cancelled Warning',
        told: waitsForReset.slice(1),
        steps: [
          { state: 'Cancelled Warning', told: [...stagesUntil('install', bios, BIOS), ...waitsForReset] },
        ],
      },
      shown: { BIOS: '1.8.0 Enabled OK' },
    },
  },
  ...deviceStages.map(outOfTime),
]

/** A job whose device hangs, and whose time is up. */
function outOfTime(at: DeviceStageName): Failure {
  const said = stagesUntil(at, bios, BIOS)
  const isLast = at === 'activate'
  return {
    what: `a job whose device hangs as it is to ${at}, and whose MaxExecutionTime is over`,
    options: { adapted: asJob, devices: { BIOS: { fail: { at, how: 'hangs', after: '40%', times: 1 } } } },
    begin: (emulator) => pushed(emulator, biosImage),
    until: async (emulator) => {
      await emulator.clock.advance(LONG_MS)
      if (isLast) await reset(emulator, SYSTEM, 'ForceRestart')
      await timeOut(emulator)
    },
    expected: {
      ...becomesJob,
      job: {
        state: 'Exception Critical',
        told: [...(isLast ? waitsForReset.slice(1) : []), 'Base.OperationTimeout'],
        steps: [
          {
            state: `Cancelled ${isLast ? 'Warning' : 'OK'}`,
            told: isLast ? [...said.slice(0, -1), ...waitsForReset, ...said.slice(-1)] : said,
          },
        ],
      },
      shown: { BIOS: '1.8.0 Enabled OK' },
    },
  }
}

/** Two power supplies: one that is stopped while it is written runs no more. */
const halfWritten: readonly Failure[] = (['transfer', 'verify', 'install', 'activate'] as const).map(
  (at) => ({
    what: `the second of two devices that hangs as it is to ${at}, in a job whose MaxExecutionTime is over`,
    options: { adapted: asJob, devices: { 'PSU-2': { fail: { at, how: 'hangs', after: '40%', times: 1 } } } },
    begin: (emulator) => pushed(emulator, psuImage),
    until: async (emulator) => {
      await emulator.clock.advance(LONG_MS)
      await timeOut(emulator)
    },
    expected: {
      ...ofBoth,
      job: {
        state: 'Exception Critical',
        told: [...firstSucceeds.told.slice(-1), 'Base.OperationTimeout'],
        steps: [firstSucceeds, { state: 'Cancelled OK', told: stagesUntil(at, psu, PSU_2) }],
      },
      shown: {
        'PSU-1': '1.8.0.0 Enabled OK',
        'PSU-2': `1.7.3.20 Enabled ${stages[at].damages === true ? 'Critical' : 'OK'}`,
      },
      log: ['UpdateSuccessful PSU-1', ...(stages[at].damages === true ? [`${stages[at].failed} PSU-2`] : [])],
    },
  }),
)

/** Ended before the end, by somebody or by the clock. */
export const ended: readonly Failure[] = [...inTask, ...pastStopping, ...inJob, ...halfWritten]
