import { expect, test, vi } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import { push } from '../support/multipart.ts'
import { bios, LONG_MS, startLab } from '../support/rollouts.ts'

test.each([
  ['first', []],
  ['after another that left before it was updated', ['12']],
])('a device that leaves %s takes with it all that is kept, and nothing else', async (_when, before) => {
  const emulator = await startLab(12)
  const { state } = emulator.bmc
  const leave = (id: string) => emulator.send(uris.aggregationSource(id), { method: 'DELETE' })
  for (const id of before) await leave(id)
  await push(emulator, bios)
  await emulator.clock.advance(LONG_MS)
  const others = [...state.history.keys()].filter((id) => !id.startsWith('1-'))
  expect(others).toHaveLength(11 - before.length)
  expect((await leave('1')).status).toBe(204)
  expect([...state.history.keys()]).toEqual(others)
  expect([...state.components.keys()]).toEqual(others)
})

test('a device that leaves is not looked for in what is kept of all others', async () => {
  const emulator = await startLab(3)
  const { bmc, send } = emulator
  const leave = (id: string) => send(uris.aggregationSource(id), { method: 'DELETE' })
  // Tables that nobody has written to are one.
  await push(emulator, bios)
  await emulator.clock.advance(LONG_MS)
  await leave('1')
  const scans = [bmc.state.components, bmc.state.history].map((table) => vi.spyOn(table, 'keys'))
  await leave('2')
  expect(scans.map(({ mock }) => mock.calls.length)).toEqual([0, 0])
})
