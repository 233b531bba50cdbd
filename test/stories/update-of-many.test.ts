import { expect, test, vi } from 'vitest'
import { occurrencesOf } from '../../src/events/occurrences.ts'
import { uris } from '../../src/redfish/uris.ts'
import { push } from '../support/multipart.ts'
import { bios, startLab, UPDATE_MS, versionsOf } from '../support/rollouts.ts'

const PROOF_MS = 120_000
/** More only where a proof is wanted. */
const COUNT = process.env['PROOF'] === undefined ? 50 : 5_000

test(
  'one update of a console is for as many devices as it names, each with a sub-task of its own',
  async () => {
    const emulator = await startLab(COUNT + 1)
    const { bmc, clock, get } = emulator
    const Targets = Array.from({ length: COUNT }, (_, index) => uris.system(String(index + 1)))
    const looked = vi.spyOn(bmc.machine.components, 'values')
    const lookedAtShown = vi.spyOn(bmc.machine.shown, 'keys')
    const changed = new Set<string>()
    bmc.listeners.add((change, before) => {
      for (const { origin } of occurrencesOf(bmc, change, before)) changed.add(origin)
    })
    expect(await push(emulator, bios, { Targets })).toMatchObject({ status: 202 })
    // By one look at all components, not by one for each target.
    expect(looked.mock.calls.length).toBeLessThan(10)
    looked.mockRestore()
    await clock.advance(COUNT * UPDATE_MS)
    expect(await get(uris.task('1'))).toMatchObject({ TaskState: 'Completed', PercentComplete: 100 })
    expect(await get(uris.subTasks('1'))).toMatchObject({ 'Members@odata.count': COUNT })
    const parts = [...bmc.state.tasks.values()].filter(({ parent }) => parent === '1')
    expect(new Set(parts.map(({ state, messages }) => `${state} ${messages.length}`)).size).toBe(1)
    // Each tells of its own system, which shows the version, and looks at no other.
    expect(Targets.filter((uri) => !changed.has(uri))).toEqual([])
    expect(lookedAtShown).not.toHaveBeenCalled()
    expect(versionsOf(emulator)).toEqual([...Array.from({ length: COUNT }, () => '2.0.0'), '1.0.0'])
  },
  PROOF_MS,
)
