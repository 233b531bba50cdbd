import { expect, test } from 'vitest'
import { createBmc } from '../../src/bmc/bmc.ts'
import { loadMachine } from '../../src/bmc/mockup-folder.ts'
import { VirtualClock } from '../../src/lib/clock.ts'
import { JobEngine } from '../../src/tasks/job-engine.ts'
import type { WorkHandle } from '../../src/tasks/work.ts'

test('a job that was held before a restart is so after it, and runs as soon as it is resumed', async () => {
  const clock = new VirtualClock()
  const bmc = createBmc('1', loadMachine('rackmount'), new Map())
  const run = async (handle: WorkHandle) => {
    await clock.sleep(10, handle.signal)
    await handle.checkpoint()
    await clock.sleep(1_000, handle.signal)
    return { state: 'Completed', status: 200 } as const
  }
  const first = new JobEngine(clock, () => {})
  const { id } = first.start(bmc, { name: 'Work', type: 'ServiceGenerated', run })
  await clock.advance(1)
  first.suspend(bmc, id)
  await clock.advance(20)
  const second = new JobEngine(clock, () => {})
  second.takeUp(bmc, id, { run })
  await clock.advance(20)
  expect(bmc.state.jobs.get(id)?.state).toBe('Suspended')
  expect(second.resume(bmc, id)).toBe(true)
  await clock.advance(1)
  expect(bmc.state.jobs.get(id)?.state).toBe('Running')
  await clock.advance(1_000)
  expect(bmc.state.jobs.get(id)?.state).toBe('Completed')
  await Promise.all([first.close(), second.close()])
})
