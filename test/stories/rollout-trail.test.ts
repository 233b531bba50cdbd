import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { AUDIT_LOG, uris } from '../../src/redfish/uris.ts'
import { addAccount } from '../support/accounts.ts'
import { bios, JOB, LONG_MS, pushRollOut, type RolloutLab, startLab, UPDATE_MS } from '../support/rollouts.ts'

const sha256 = createHash('sha256').update(bios).digest('hex')

/** What the audit log says in our own words: who, what (without registry and without the digest), and with whose approval. */
async function trail({ get, bmc }: RolloutLab): Promise<string[]> {
  const { Members } = await get(uris.logEntries(bmc.machine.manager, AUDIT_LOG))
  const entries = Members as unknown as readonly {
    readonly MessageId: string
    readonly MessageArgs: readonly string[]
    readonly Username?: string
    readonly Description?: string
  }[]
  return entries
    .filter(({ MessageId }) => MessageId.startsWith('Redflash.'))
    .map(({ MessageId, MessageArgs, Username = 'nobody', Description }) => {
      const args = MessageArgs.map((arg) => (arg === sha256 ? 'sha' : arg.replace('/redfish/v1/', '')))
      const key = MessageId.split('.').at(-1)
      return [Username, key, ...args, ...(Description === undefined ? [] : [Description])].join(' | ')
    })
}

/** Of three devices the second has failed, the others wait; bob may do what admin may. */
async function startPaused(): Promise<RolloutLab> {
  const emulator = await startLab(3)
  await addAccount(emulator, 'bob', { RoleId: 'Administrator' })
  emulator.lab.plans.set('2', { fails: 'install', times: 1 })
  await pushRollOut(emulator, bios, {
    Name: 'Autumn',
    Waves: [{ Count: 1 }, { Name: 'All', Percent: 100, ApprovalRequired: true }],
    FailureThreshold: { Count: 1 },
    MaxParallel: 1,
  })
  await emulator.clock.advance(2 * UPDATE_MS)
  await move(emulator, uris.job('3'), 'Continue', 'bob')
  await emulator.clock.advance(2 * UPDATE_MS)
  return emulator
}

const move = (emulator: RolloutLab, job: string, JobState: string, user: string) =>
  emulator.send(job, { method: 'PATCH', body: { JobState }, user })
const redo = ({ send }: RolloutLab, action: string, user: string, Targets: readonly string[]) =>
  send(uris.action(JOB, `Oem/RedflashJob.${action}`), {
    method: 'POST',
    body: { Targets: [...Targets] },
    user,
  })

const told = [
  'admin | RollOutBegan | Autumn | update.tar | sha | 3',
  'admin | DeviceUpdateEnded | Systems/1 | update.tar | sha | Succeeded',
  'nobody | RollOutAwaitsApproval | All',
  'bob | RollOutApproved | All | Autumn',
  'admin | DeviceUpdateEnded | Systems/2 | update.tar | sha | Failed (Install) | Approved by bob',
  'nobody | RollOutThresholdReached | All | 2 | 1',
]

test('the audit log tells who updated what, from which image, approved by whom, and with what result', async () => {
  const emulator = await startPaused()
  expect(await trail(emulator)).toEqual(told)
  await move(emulator, JOB, 'Continue', 'admin')
  await redo(emulator, 'RetryFailed', 'bob', [uris.system('2')])
  await emulator.clock.advance(LONG_MS)
  await redo(emulator, 'RollBack', 'bob', [uris.system('1')])
  await emulator.clock.advance(LONG_MS)
  expect((await trail(emulator)).slice(told.length)).toEqual([
    'admin | RollOutResumed | Autumn',
    'bob | RollOutRetried | Autumn',
    'admin | DeviceUpdateEnded | Systems/3 | update.tar | sha | Succeeded | Approved by bob',
    'bob | DeviceUpdateEnded | Systems/2 | update.tar | sha | Succeeded | Approved by bob',
    'admin | RollOutEnded | Autumn | 3 | 3 | 0',
    'bob | RollOutRolledBack | Autumn',
    // Nobody keeps an image of what it ran before.
    'bob | DeviceRollBackEnded | Systems/1 | update.tar | sha | Failed (Start)',
    'admin | RollOutEnded | Autumn | 3 | 2 | 1',
    'admin | RollOutBroughtBack | Autumn | 0 | 1',
  ])
})

test('a restart of the console forgets nobody: neither who asked, nor who approved', async () => {
  const first = await startPaused()
  const second = await startLab(3, { lab: first.lab, after: first })
  await move(second, JOB, 'Cancelled', 'bob')
  await second.clock.advance(LONG_MS)
  expect(await second.get(uris.job('3'))).toMatchObject({ Oem: { Redflash: { ApprovedBy: 'bob' } } })
  const entries = await trail(second)
  expect(entries.slice(0, told.length)).toEqual(told)
  expect(entries.slice(told.length)).toEqual([
    'bob | RollOutCancelled | Autumn',
    'admin | RollOutEnded | Autumn | 3 | 1 | 1',
  ])
})
