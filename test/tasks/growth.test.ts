import { expect, test, vi } from 'vitest'
import { occurrencesOf } from '../../src/events/occurrences.ts'
import { message } from '../../src/redfish/messages/message.ts'
import { uris } from '../../src/redfish/uris.ts'
import type { WorkHandle } from '../../src/tasks/work.ts'
import { COMPLETED, jobWork, startEngines, taskWork } from '../support/work.ts'

const said = message('Update.UpdateSuccessful', uris.firmware('BIOS'), 'image')

/** How often a record is looked up while work of so many parts is done, and told, each of which waits once and tells something. */
async function lookUps(kind: 'tasks' | 'jobs', parts: number): Promise<number> {
  const engines = startEngines()
  const { bmc, clock } = engines
  const run = async (work: WorkHandle) => {
    const one = async (part: WorkHandle) => {
      part.report({ percent: 50 })
      await part.wait({ for: 'user', messages: [] }, clock.sleep(1_000))
      part.report({ percent: 90, messages: [said] })
      return COMPLETED
    }
    await Promise.all(Array.from({ length: parts }, () => work.part({ name: '', target: '', run: one })))
    return COMPLETED
  }
  if (kind === 'tasks') engines.tasks.start(bmc, taskWork(run))
  else engines.jobs.start(bmc, jobWork(run))
  const looked = vi.spyOn(bmc.state[kind], 'get')
  bmc.listeners.add((change, before) => void occurrencesOf(bmc, change, before))
  await clock.advance(10_000)
  expect(bmc.state[kind].get('1')).toMatchObject({ state: 'Completed', parts })
  return looked.mock.calls.length
}

test.each(['tasks', 'jobs'] as const)(
  'of %s each part is as much work, however many there are',
  async (kind) => {
    const [few, many] = [await lookUps(kind, 20), await lookUps(kind, 200)]
    expect(many).toBeLessThan(few * 11)
  },
)
