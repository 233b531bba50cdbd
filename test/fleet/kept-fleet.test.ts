import { expect, onTestFinished, test } from 'vitest'
import type { Bmc } from '../../src/bmc/bmc.ts'
import { commit } from '../../src/bmc/commit.ts'
import { createEmulator } from '../../src/index.ts'
import { temporaryFolder } from '../support/folders.ts'

const groups = ['a', 'b'].map((name) => ({ name, names: `${name}-{01}` }))

async function start(data: string, count = 3) {
  const emulator = await createEmulator({
    data,
    fleet: { groups: groups.map((group) => ({ ...group, count })) },
    https: false,
    reach: 'path',
    controlPort: 0,
  })
  onTestFinished(() => emulator.close())
  const bmc = (id: string): Bmc => {
    const found = emulator.bmcs.find((one) => one.id === id)
    if (found === undefined) throw new Error(`there is no ${id}`)
    return found
  }
  const ids = (): string => emulator.bmcs.map(({ id }) => id).join(' ')
  return { ...emulator, bmc, ids }
}

const markOf = (bmc: Bmc): string | undefined => bmc.state.components.get('NIC-1')?.version

function mark(bmc: Bmc, version: string): void {
  const factory = bmc.machine.components.get('NIC-1')?.factory
  if (factory === undefined) throw new Error('no NIC-1')
  commit(bmc, { components: [['NIC-1', { ...factory, version }]] })
}

test('each BMC of a fleet has after a restart what was kept of it, and nothing of the others', async () => {
  const data = temporaryFolder()
  const before = await start(data)
  mark(before.bmc('a-01'), 'one')
  mark(before.bmc('b-03'), 'other')
  await before.close()
  const after = await start(data)
  expect(after.bmcs.map(markOf)).toEqual(['one', ...Array.from({ length: 4 }), 'other'])
})

test('BMCs that came or went while it ran are there, or not, after a restart, each in its place', async () => {
  const data = temporaryFolder()
  const before = await start(data)
  await before.add('b', 2)
  mark(before.bmc('b-05'), 'added')
  await before.remove(before.bmc('a-02'))
  await before.remove(before.bmc('b-04'))
  await before.add('a', 1)
  await before.remove(before.bmc('a-03'))
  mark(before.bmc('a-02'), 'again')
  const shown = before.ids()
  expect(shown).toBe('a-01 a-02 b-01 b-02 b-03 b-05')
  await before.close()
  const after = await start(data)
  expect(after.ids()).toBe(shown)
  expect([markOf(after.bmc('a-02')), markOf(after.bmc('b-05'))]).toEqual(['again', 'added'])
  await after.add('b', 1)
  await after.close()
  // The lowest place that is free is where one went.
  expect((await start(data)).ids()).toBe('a-01 a-02 b-04 b-01 b-02 b-03 b-05')
})

test('a BMC that comes under the name of one that went has nothing of it, not even after a restart', async () => {
  const data = temporaryFolder()
  const before = await start(data)
  mark(before.bmc('a-02'), 'gone')
  await before.remove(before.bmc('a-02'))
  await before.add('a', 1)
  await before.close()
  const after = await start(data)
  expect(markOf(after.bmc('a-02'))).toBeUndefined()
})

test('nor has one that comes under the name of one that the configuration no longer makes', async () => {
  const data = temporaryFolder()
  const before = await start(data)
  mark(before.bmc('a-03'), 'no longer')
  await before.close()
  const fewer = await start(data, 2)
  expect(fewer.ids()).toBe('a-01 a-02 b-01 b-02')
  await fewer.add('a', 1)
  await fewer.close()
  const after = await start(data, 2)
  expect([after.ids(), markOf(after.bmc('a-03'))]).toEqual(['a-01 a-02 b-01 b-02 a-03', undefined])
})
