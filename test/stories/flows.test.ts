import { expect, test } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import { applyTimes } from '../../src/redfish/apply-times.ts'
import { startEmulator } from '../support/emulator.ts'
import type { Seen } from '../support/flows/flow.ts'
import { ask, devicesOf, fetcherOf, perform, prepare, versions, ways } from '../support/flows/perform.ts'
import { flowCases as cases, flowsIn } from '../support/flows/table.ts'
import { watchWork } from '../support/flows/watching.ts'

test('the table knows what becomes of every apply time, however many devices and however a wait is shown', () => {
  const wanted = applyTimes.flatMap((applyTime) =>
    (['no reset', 'reset', 'both'] as const).flatMap((devices) =>
      (['job', 'pending', 'completed'] as const).map((shown) => `${applyTime} ${devices} ${shown}`),
    ),
  )
  const known = cases
    .filter(({ startUpdate }) => startUpdate === 'own-task')
    .map(({ applyTime, devices, awaitReset }) => `${applyTime} ${devices} ${awaitReset}`)
  expect(known.toSorted()).toEqual(wanted.toSorted())
})

test.each(flowsIn(ways))(
  'after $circumstance: $applyTime, $devices, awaitReset $awaitReset, $startUpdate',
  async (one) => {
    const { circumstance: way, awaitReset, startUpdate, acts, devices } = one
    const emulator = await startEmulator({
      adapted: { awaitReset, startUpdate },
      fetcher: fetcherOf(devices),
    })
    await prepare(emulator, way, one)
    const { look } = watchWork(emulator.bmc)
    const stored = emulator.spool.entries.size

    expect((await ask(emulator, way, one)).status).toBe(202)
    await emulator.clock.advance(300_000)
    let { seen, messages } = look()
    for (const [index, [act, expected]] of acts.entries()) {
      if (index > 0 && act !== 'the update is asked for') {
        await perform(emulator, act, messages)
        ;({ seen, messages } = look())
      }
      expect(comparable(seen, expected), act).toEqual(expected)
    }

    const now = devicesOf[devices].map((id) => emulator.get(uris.firmware(id)))
    expect(await Promise.all(now)).toMatchObject(
      devicesOf[devices].map((id) => ({ Version: versions[id], Status: { State: 'Enabled', Health: 'OK' } })),
    )
    expect(emulator.spool.entries.size).toBe(stored)
  },
)

/** The log repeats what tasks and jobs tell: it counts where they do not. */
function comparable({ log, ...seen }: Seen, expected: Seen): Seen {
  return 'log' in expected && log !== undefined ? { ...seen, log } : seen
}
