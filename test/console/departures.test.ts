import { expect, test, vi } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import { messageKeys, push } from '../support/multipart.ts'
import { bios, LONG_MS, startLab } from '../support/rollouts.ts'

test('a device leaves with all that is kept of its firmware, and another keeps its own', async () => {
  const emulator = await startLab(11)
  await push(emulator, bios)
  await emulator.clock.advance(LONG_MS)
  const { state } = emulator.bmc
  expect(messageKeys(await emulator.get(uris.task('1')))).not.toContain('ApplyFailed')
  const others = [...state.history.keys()].filter((id) => !id.startsWith('1-'))
  expect(others).toHaveLength(10)
  expect((await emulator.send(uris.aggregationSource('1'), { method: 'DELETE' })).status).toBe(204)
  expect([...state.history.keys()]).toEqual(others)
  expect([...state.components.keys()]).toEqual(others)
})

test('a device that leaves is not looked for in what is kept of all others', async () => {
  const { bmc, send } = await startLab(3)
  const leave = (id: string) => send(uris.aggregationSource(id), { method: 'DELETE' })
  await leave('1')
  const scans = [bmc.state.components, bmc.state.history].map((table) => vi.spyOn(table, 'keys'))
  await leave('2')
  expect(scans.map(({ mock }) => mock.calls.length)).toEqual([0, 0])
})
