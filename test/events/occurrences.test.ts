import { describe, expect, test } from 'vitest'
import { createBmc, findComponent } from '../../src/bmc/bmc.ts'
import { commit } from '../../src/bmc/commit.ts'
import { loadMachine } from '../../src/bmc/mockup-folder.ts'
import type { PublicCertificate } from '../../src/bmc/network.ts'
import type { Change, ComponentState, Task } from '../../src/bmc/state.ts'
import { occurrencesOf } from '../../src/events/occurrences.ts'
import { message, withSeverity } from '../../src/redfish/messages/message.ts'
import { uris } from '../../src/redfish/uris.ts'

const machine = loadMachine('rackmount')
const task: Task = {
  id: '4',
  name: 'Firmware update 4',
  description: '',
  state: 'Running',
  percent: 12,
  messages: [],
  startTime: 0,
  endTime: undefined,
  payload: { targetUri: uris.multipartPush, httpHeaders: [], jsonBody: '{}' },
  finalStatus: undefined,
}

/** What a BMC where `first` was committed tells of `then`: registry and key, the end of the origin, arguments. */
function toldOf(first: Change, then: Change): string[] {
  const bmc = createBmc('1', machine, new Map())
  commit(bmc, first)
  const heard: string[] = []
  bmc.listeners.add((change, before) => {
    for (const one of occurrencesOf(bmc, change, before)) {
      const key = one.message.MessageId.replace(/\.\d+\.\d+\./, '.').replace('ResourceEvent.', '')
      const origin = one.origin.split('/').at(-1)
      heard.push(
        [key, origin, ...one.message.MessageArgs, ...(one.isGone === true ? ['gone'] : [])].join(' '),
      )
    }
  })
  commit(bmc, then)
  return heard
}

describe('a task', () => {
  const changed = (was: Partial<Task> | undefined, now: Partial<Task> | undefined): string[] =>
    toldOf(was ? { tasks: [['4', { ...task, ...was }]] } : {}, { tasks: [['4', now && { ...task, ...now }]] })

  test.each<[string, Partial<Task> | undefined, Partial<Task> | undefined, string[]]>([
    ['that is new', undefined, { state: 'New', percent: 0 }, ['ResourceCreated 4']],
    ['that starts', { state: 'New' }, {}, ['TaskEvent.TaskStarted 4 4']],
    ['at 19 %', { percent: 12 }, { percent: 19 }, []],
    ['at 20 %', { percent: 19 }, { percent: 20 }, ['TaskEvent.TaskProgressChanged 4 4 20']],
    ['that leaps', { percent: 19 }, { percent: 57 }, ['TaskEvent.TaskProgressChanged 4 4 57']],
    ['that is being cancelled', {}, { state: 'Cancelling' }, []],
    ['that was cancelled', { state: 'Cancelling' }, { state: 'Cancelled' }, ['TaskEvent.TaskCancelled 4 4']],
    ['that failed', {}, { state: 'Exception' }, ['TaskEvent.TaskAborted 4 4']],
    [
      'that is done',
      { percent: 99 },
      { state: 'Completed', percent: 100 },
      ['TaskEvent.TaskCompletedOK 4 4'],
    ],
    ['that was done already', { state: 'Completed' }, { state: 'Completed', percent: 100 }, []],
    [
      'that is done with a warning',
      {},
      { state: 'Completed', messages: [withSeverity(message('Update.UpdateInProgress'), 'Warning')] },
      ['Update.UpdateInProgress UpdateService', 'TaskEvent.TaskCompletedWarning 4 4'],
    ],
    [
      'that goes',
      { state: 'Completed' },
      undefined,
      ['TaskEvent.TaskRemoved 4 4 gone', 'ResourceRemoved 4 gone'],
    ],
    ['that never was', undefined, undefined, []],
  ])('%s', (_what, was, now, expected) => {
    expect(changed(was, now)).toEqual(expected)
  })

  test('tells a message that the log holds, too, once, with the origin that the log knows', () => {
    const reset = message('Base.ResetRequired', uris.action(uris.system('1'), 'ComputerSystem.Reset'), 'On')
    const other = message('Update.UpdateInProgress')
    const entry = (id: string, one: typeof reset) =>
      [id, { id, created: 0, message: one, origin: uris.firmware('BIOS') }] as const
    const heard = toldOf(
      { tasks: [['4', task]] },
      { tasks: [['4', { ...task, messages: [reset] }]], log: [entry('1', reset), entry('2', other)] },
    )
    expect(heard.map((one) => one.split(' ').slice(0, 2).join(' '))).toEqual([
      'Base.ResetRequired BIOS',
      'Update.UpdateInProgress BIOS',
    ])
  })
})

describe('a component', () => {
  const bmc = createBmc('1', machine, new Map())
  const component = (members: Partial<ComponentState>): Change => {
    const { now } = findComponent(bmc, 'BIOS') ?? {}
    if (now === undefined) throw new Error('rackmount has no BIOS')
    return { components: [['BIOS', { ...now, ...members }]] }
  }
  const uri = findComponent(bmc, 'BIOS')?.uri ?? ''
  // Its ComponentIntegrity, which is called as it is.
  const measured = 'ResourceChanged BIOS'

  test.each<[string, Change, Change, string[]]>([
    ['as it was', {}, component({}), []],
    ['being updated', {}, component({ state: 'Updating' }), [`ResourceStateChanged BIOS ${uri} Updating`]],
    [
      'that failed',
      component({ state: 'Updating' }),
      component({ health: 'Critical' }),
      [
        `ResourceStateChanged BIOS ${uri} Enabled`,
        `ResourceStatusChangedCritical BIOS ${uri} Critical`,
        measured,
      ],
    ],
    [
      'that is well again',
      component({ health: 'Critical' }),
      component({}),
      [`ResourceStatusChangedOK BIOS ${uri} OK`, measured],
    ],
    ['with another version in its history', {}, { history: [['BIOS', []]] }, ['ResourceChanged History']],
    ['of another size', {}, component({ sizeBytes: 7 }), ['ResourceChanged BIOS']],
    // A system shows the version of its BIOS.
    [
      'of another version',
      {},
      component({ version: '99' }),
      ['ResourceChanged BIOS', 'ResourceChanged 1', measured],
    ],
    [
      'from the factory again',
      component({ sizeBytes: 7 }),
      { components: [['BIOS', undefined]] },
      ['ResourceChanged BIOS'],
    ],
  ])('%s', (_what, first, then, expected) => {
    expect(toldOf(first, then)).toEqual(expected)
  })
})

test.each<[string, Change, Change, string[]]>([
  [
    'that loses its power',
    {},
    { overlays: [[uris.system('1'), { PowerState: 'Off' }]] },
    [`ResourcePoweredOff 1 ${uris.system('1')}`],
  ],
  ['that has its power already', {}, { overlays: [[uris.system('1'), { PowerState: 'On' }]] }, []],
  ['with another tag', {}, { overlays: [[uris.system('1'), { AssetTag: 'new' }]] }, ['ResourceChanged 1']],
  [
    'whose tag is the machine’s again',
    { overlays: [[uris.system('1'), { AssetTag: 'new' }]] },
    { overlays: [[uris.system('1'), {}]] },
    ['ResourceChanged 1'],
  ],
  [
    'that starts',
    {},
    { overlays: [[uris.system('1'), { Status: { State: 'Starting', Health: 'OK' } }]] },
    [`ResourceStateChanged 1 ${uris.system('1')} Starting`],
  ],
])('a system %s', (_what, first, then, expected) => {
  expect(toldOf(first, then)).toEqual(expected)
})

test('a notice is told as it is', () => {
  const told = {
    message: message('ManagerEvent.ManagerReset', uris.manager('1'), 'ForceRestart'),
    origin: uris.manager('1'),
  }
  expect(toldOf({}, { notices: [told] })).toEqual([
    `ManagerEvent.ManagerReset 1 ${uris.manager('1')} ForceRestart`,
  ])
})

test('of an outage alone nothing is told', () => {
  expect(toldOf({}, { outage: 'refuse' })).toEqual([])
})

describe('the network of the manager', () => {
  const certificate: PublicCertificate = {
    chain: ['one'],
    subject: new Map(),
    issuer: new Map(),
    alternativeNames: [],
    serialNumber: '01',
    fingerprint: '',
    validFrom: 0,
    validTo: 1,
    signatureAlgorithm: undefined,
    usages: [],
  }
  const other = { ...certificate, chain: ['other'] }

  test.each<[string, Change, Change, string[]]>([
    ['that has other servers', {}, { network: { ntpServers: ['a'] } }, ['ResourceChanged NetworkProtocol']],
    ['that begins to be served', {}, { network: { httpPort: 80, httpsPort: 443 } }, []],
    ['whose certificate is made for a reader', {}, { network: { certificate } }, []],
    [
      'whose certificate is replaced',
      { network: { certificate } },
      { network: { certificate: other } },
      ['ResourceChanged 1'],
    ],
  ])('%s', (_what, first, then, expected) => {
    expect(toldOf(first, then)).toEqual(expected)
  })
})

describe('an entry of a log', () => {
  const entry = {
    id: '7',
    created: 0,
    message: message('Update.UpdateInProgress'),
    origin: uris.updateService,
  }
  const other = { ...entry, id: '8' }

  test.each<[string, Change, Change, string[]]>([
    ['that is new tells its message', {}, { log: [['7', entry]] }, ['Update.UpdateInProgress UpdateService']],
    [
      'that a client has resolved changes, and says nothing again',
      { log: [['7', entry]] },
      { log: [['7', { ...entry, isResolved: true }]] },
      ['ResourceChanged 7'],
    ],
    [
      'of the audit log that a client deletes is gone',
      { auditLog: [['7', entry]] },
      { auditLog: [['7', undefined]] },
      ['ResourceRemoved 7 gone'],
    ],
    [
      'that gives way to a newer one goes silently',
      { log: [['7', entry]] },
      {
        log: [
          ['7', undefined],
          ['8', other],
        ],
      },
      ['Update.UpdateInProgress UpdateService'],
    ],
  ])('%s', (_what, first, then, expected) => {
    expect(toldOf(first, then)).toEqual(expected)
  })
})
