import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { type Bmc, createBmc } from '../../src/bmc/bmc.ts'
import { loadMachine } from '../../src/bmc/mockup-folder.ts'
import { Fleet } from '../../src/fleet/fleet.ts'
import { commit } from '../../src/bmc/commit.ts'
import { createEmulator } from '../../src/index.ts'
import { uris } from '../../src/redfish/uris.ts'
import { basic } from '../support/emulator.ts'
import { temporaryFolder } from '../support/folders.ts'
import { bundleOf } from '../support/images.ts'
import { multipartBody, pushParts } from '../support/multipart.ts'

const machine = loadMachine('rackmount')
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

test('what is kept of a new BMC is not lost with the end of the one that had its name', async () => {
  const data = temporaryFolder()
  const before = await start(data)
  const removed = before.remove(before.bmc('a-01'))
  const [again] = await before.add('a')
  expect(again?.id).toBe('a-01')
  mark(before.bmc('a-01'), 'new')
  await removed
  await before.close()
  expect(markOf((await start(data)).bmc('a-01'))).toBe('new')
})

test('a BMC that was removed while others were added with it is reached no more', async () => {
  const listening: string[] = []
  const fleet = new Fleet([{ name: 'a', make: (number) => createBmc(`a-${number}`, machine, new Map()) }])
  const turn = Promise.resolve()
  fleet.onAdded(async ({ bmc }) => {
    await turn
    listening.push(bmc.id)
  })
  fleet.onRemoved(({ bmc }) => {
    const at = listening.indexOf(bmc.id)
    if (at !== -1) listening.splice(at, 1)
  })
  const added = fleet.add('a', 3)
  await fleet.remove('a-1')
  await fleet.remove('a-3')
  await added
  expect({ listening, size: fleet.size }).toEqual({ listening: ['a-2'], size: 1 })
})

test('who came while it ran is there after a restart, though somebody else has its place', async () => {
  const data = temporaryFolder()
  const before = await start(data, 2)
  await before.add('a')
  mark(before.bmc('a-03'), 'mine')
  await before.close()
  const groupsNow = [
    { name: 'a', names: 'a-{01}', count: 2 },
    { name: 'b', names: 'b-{01}', count: 4 },
  ]
  const after = await createEmulator({ data, fleet: { groups: groupsNow }, https: false, reach: 'path' })
  onTestFinished(() => after.close())
  const found = after.bmcs.find(({ id }) => id === 'a-03')
  expect(found && markOf(found)).toBe('mine')
})

test('images of BMCs that are not there this time wait for them', async () => {
  const data = temporaryFolder()
  const image = await bundleOf({ 'NIC-1': '22.42.1' })
  const { headers, body } = multipartBody(pushParts(image, { LocalImage: true, Targets: [] }))
  const before = await start(data, 2)
  const [urls] = before.urlsOf(before.bmc('b-02'))
  const answer = await fetch(`${urls?.url}${uris.multipartPush}`, {
    method: 'POST',
    headers: { ...headers, authorization: basic('admin') },
    body: new Uint8Array(body),
  })
  expect(answer.status).toBe(202)
  await expect.poll(() => before.bmc('b-02').state.localImages.size).toBe(1)
  await before.close()
  await (await start(data, 1)).close()
  const after = await start(data, 2)
  expect(after.bmc('b-02').state.localImages.size).toBe(1)
  expect(readdirSync(join(data, 'images'))).toHaveLength(1)
})

test('a folder whose database is gone is refused, and its images stay', async () => {
  const data = temporaryFolder()
  await (await start(data)).close()
  rmSync(join(data, 'journal.db'))
  mkdirSync(join(data, 'images'), { recursive: true })
  writeFileSync(join(data, 'images', 'a'.repeat(64)), 'image')
  await expect(start(data)).rejects.toThrow(/journal\.db is missing/)
  expect(readdirSync(join(data, 'images'))).toHaveLength(1)
})
