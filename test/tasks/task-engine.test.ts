import { expect, test } from 'vitest'
import { message } from '../../src/redfish/messages/message.ts'
import { uris } from '../../src/redfish/uris.ts'
import type { WorkHandle } from '../../src/tasks/work.ts'
import { CANCELLED, COMPLETED, createGate, FAILED, keysOf, startEngines, taskWork } from '../support/work.ts'

const target = uris.firmware('BIOS')

test('a part is a sub-task of its own, and its task tells what it tells', async () => {
  const { tasks, bmc, clock, states } = startEngines()
  const said = message('Update.UpdateSuccessful', target, 'image')
  tasks.start(
    bmc,
    taskWork(async (work) => {
      work.report({ percent: 30 })
      const run = async (part: WorkHandle) => {
        part.report({ messages: [said], created: [target] })
        return COMPLETED
      }
      return work.part({ name: 'BIOS', target, run })
    }),
  )
  await clock.advance(1)
  expect(bmc.state.tasks.get('1')).toMatchObject({ parts: 1, createdResources: [target], messages: [said] })
  expect(bmc.state.tasks.get('1/1')).toMatchObject({ id: '1', parent: '1', name: 'BIOS', messages: [said] })
  expect([states('1'), states('1/1')]).toEqual([
    ['New', 'Running', 'Completed'],
    ['New', 'Running', 'Completed'],
  ])
})

test('a task has done what its parts have done on average, from where they began', async () => {
  const { tasks, bmc, clock } = startEngines()
  const percents: (number | undefined)[] = []
  const look = (): void => void percents.push(bmc.state.tasks.get('1')?.percent)
  tasks.start(
    bmc,
    taskWork(async (work) => {
      work.report({ percent: 30 })
      const part = (percent: number) =>
        work.part({
          name: '',
          target,
          run: async (one) => {
            look()
            one.report({ percent })
            look()
            await clock.sleep(1)
            return FAILED
          },
        })
      await Promise.all([part(50), part(90)])
      return FAILED
    }),
  )
  await clock.advance(10)
  expect(percents).toEqual([30, 40, 40, 70])
  expect(bmc.state.tasks.get('1/1')?.percent).toBe(50)
})

test('a task is Pending while no part runs and one waits', async () => {
  const { tasks, bmc, clock, states } = startEngines()
  const gate = createGate()
  tasks.start(
    bmc,
    taskWork(async (work) => {
      const waits = async (part: WorkHandle) => (await part.wait(gate.waiting, gate.opened), COMPLETED)
      const runs = async () => (await clock.sleep(100), COMPLETED)
      const part = (run: (part: WorkHandle) => Promise<typeof COMPLETED>) =>
        work.part({ name: '', target, run })
      await Promise.all([part(waits), part(runs)])
      return COMPLETED
    }),
  )
  await clock.advance(50)
  expect([states('1').at(-1), states('1/1').at(-1), states('1/2').at(-1)]).toEqual([
    'Running',
    'Pending',
    'Running',
  ])
  await clock.advance(50)
  expect(states('1').at(-1)).toBe('Pending')
  gate.open()
  await clock.advance(1)
  expect(states('1')).toEqual(['New', 'Running', 'Pending', 'Running', 'Completed'])
  expect(states('1/1')).toEqual(['New', 'Pending', 'Running', 'Completed'])
})

test('what a wait comes to is given to the work, a problem, too', async () => {
  const { tasks, bmc, clock, bugs } = startEngines()
  const [good, bad] = [createGate<number>(), createGate<number>()]
  const got: unknown[] = []
  tasks.start(
    bmc,
    taskWork(async (work) => {
      got.push(await work.wait(good.waiting, good.opened))
      got.push(await work.wait(bad.waiting, bad.opened).catch((error: unknown) => error))
      return COMPLETED
    }),
  )
  await clock.advance(1)
  good.open(7)
  await clock.advance(1)
  bad.refuse('too late')
  await clock.advance(1)
  expect([got, bugs]).toEqual([[7, 'too late'], []])
})

test.each([true, false])(
  'cancelling a task cancels its parts, those that wait, too; endsAtWait: %s',
  async (endsAtWait) => {
    const { tasks, bmc, clock, states, bugs } = startEngines()
    const gate = createGate()
    tasks.start(
      bmc,
      taskWork(
        async (work) => {
          const waits = async (part: WorkHandle) => (await part.wait(gate.waiting, gate.opened), COMPLETED)
          const runs = async ({ signal }: WorkHandle) => (await clock.sleep(100, signal), COMPLETED)
          const done = async () => COMPLETED
          const endings = await Promise.all(
            [waits, runs, done].map((run) => work.part({ name: '', target, run })),
          )
          return endings.find(({ state }) => state === 'Cancelled') ?? COMPLETED
        },
        { endsAtWait },
      ),
    )
    await clock.advance(1)
    expect(tasks.cancel(bmc, '1')).toBe(true)
    expect(['1', '1/1', '1/2', '1/3'].map((key) => states(key).at(-1))).toEqual([
      'Cancelling',
      'Cancelling',
      'Cancelling',
      'Completed',
    ])
    await clock.advance(1)
    expect(['1', '1/1', '1/2'].map((key) => states(key).at(-1))).toEqual([
      'Cancelled',
      'Cancelled',
      'Cancelled',
    ])
    expect(bugs).toEqual([])
  },
)

test('a part can be cancelled alone', async () => {
  const { tasks, bmc, clock, states } = startEngines()
  tasks.start(
    bmc,
    taskWork(async (work) => {
      const run = async ({ signal }: WorkHandle) => (await clock.sleep(100, signal), COMPLETED)
      await Promise.all([1, 2].map(() => work.part({ name: '', target, run })))
      return COMPLETED
    }),
  )
  await clock.advance(1)
  expect(tasks.cancel(bmc, '1/2')).toBe(true)
  await clock.advance(1)
  expect(['1', '1/1', '1/2'].map((key) => states(key).at(-1))).toEqual(['Running', 'Running', 'Cancelled'])
  await clock.advance(100)
  expect(['1', '1/1'].map((key) => states(key).at(-1))).toEqual(['Completed', 'Completed'])
})

test('a task cannot be cancelled while any part refuses, and can when that part has ended', async () => {
  const { tasks, bmc, clock } = startEngines()
  tasks.start(
    bmc,
    taskWork(async (work) => {
      const refuses = async (part: WorkHandle) => {
        part.allowCancel(false)
        await clock.sleep(50)
        return COMPLETED
      }
      const runs = async ({ signal }: WorkHandle) => (await clock.sleep(100, signal), COMPLETED)
      await Promise.all([refuses, runs].map((run) => work.part({ name: '', target, run })))
      return COMPLETED
    }),
  )
  await clock.advance(10)
  expect(['1', '1/1', '1/2'].map((key) => tasks.cancel(bmc, key))).toEqual([false, false, true])
  await clock.advance(41)
  expect(tasks.cancel(bmc, '1')).toBe(false)
})

test.each([
  ['a bug', new Error('a bug')],
  ['a bug of which nothing is said', undefined],
])('%s in a part ends that part and not the others', async (_what, bug) => {
  const { tasks, bmc, clock, states, bugs } = startEngines()
  tasks.start(
    bmc,
    taskWork(async (work) => {
      const broken = async () => Promise.reject(bug)
      const runs = async () => (await clock.sleep(100), COMPLETED)
      const endings = await Promise.all([broken, runs].map((run) => work.part({ name: '', target, run })))
      return endings[0] ?? COMPLETED
    }),
  )
  await clock.advance(200)
  expect(['1', '1/1', '1/2'].map((key) => states(key).at(-1))).toEqual([
    'Exception',
    'Exception',
    'Completed',
  ])
  expect(keysOf(bmc.state.tasks.get('1')?.messages)).toEqual(['InternalError'])
  expect(bugs).toEqual([bug])
})

test('parts that nobody waited for are cancelled with the end of their task, and are gone with it', async () => {
  const { tasks, bmc, clock, states } = startEngines()
  tasks.start(
    bmc,
    taskWork(async (work) => {
      void work.part({
        name: '',
        target,
        run: async ({ signal }) => (await clock.sleep(9_000, signal), COMPLETED),
      })
      await clock.sleep(10)
      return COMPLETED
    }),
  )
  await clock.advance(20)
  expect(states('1/1')).toEqual(['New', 'Running', 'Cancelled'])
  tasks.remove(bmc, '1')
  expect(states('1/1').at(-1)).toBe('gone')
})

test('work that ends when it is stopped tells nothing more when the service closes', async () => {
  const { tasks, bmc, clock, states, bugs } = startEngines()
  const gate = createGate()
  tasks.start(
    bmc,
    taskWork(async (work) => (await work.wait(gate.waiting, gate.opened), CANCELLED)),
  )
  await clock.advance(1)
  await tasks.close()
  expect([states('1'), bugs]).toEqual([['New', 'Pending'], []])
})

test.each([
  ['Oldest', true, [2, 3]],
  ['Manual', false, [1, 2]],
] as const)('a full table whose policy is %s has room: %s', async (overWritePolicy, hasRoom, kept) => {
  const { tasks, bmc, clock } = startEngines({ maxTasks: 2, overWritePolicy })
  for (const _ of [1, 2]) {
    tasks.start(
      bmc,
      taskWork(async (work) => work.part({ name: '', target, run: async () => COMPLETED })),
    )
    await clock.advance(1)
  }
  expect(tasks.hasRoom(bmc)).toBe(hasRoom)
  if (hasRoom)
    tasks.start(
      bmc,
      taskWork(async () => COMPLETED),
    )
  expect([...bmc.state.tasks.keys()].filter((key) => !key.includes('/'))).toEqual(kept.map(String))
  expect([...bmc.state.tasks.keys()].includes('1/1')).toBe(!hasRoom)
})
