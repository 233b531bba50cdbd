import { createHash } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { extract } from 'tar-stream'
import { expect, test } from 'vitest'
import { findComponent } from '../../src/bmc/bmc.ts'
import { commit } from '../../src/bmc/commit.ts'
import { MAX_HISTORY } from '../../src/bmc/history.ts'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { AUDIT_LOG, uris } from '../../src/redfish/uris.ts'
import { addAccount } from '../support/accounts.ts'
import { startEmulator, type TestEmulator } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { push } from '../support/multipart.ts'
import { validateBody } from '../support/schemas.ts'
import { LONG_MS, reset, update } from '../support/updates.ts'

const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const NIC = uris.firmware('NIC-1')
const HISTORY = uris.firmwareHistory('NIC-1')

async function versions({ get }: TestEmulator, uri = HISTORY): Promise<readonly JsonObject[]> {
  const history = await get(uri)
  expect(validateBody(history)).toEqual([])
  return history['Versions'] as unknown as readonly JsonObject[]
}

test('a component tells where its history is, which begins with the version of the factory', async () => {
  const emulator = await startEmulator()
  const item = await emulator.get(NIC)
  expect(item['Oem']).toMatchObject({ Redflash: { History: { '@odata.id': HISTORY } } })
  expect(await versions(emulator)).toEqual([{ Version: item['Version'], ReleaseDate: item['ReleaseDate'] }])
  expect((await emulator.send(uris.firmwareHistory('none'))).status).toBe(404)
})

test('an update adds its version with who, from where, when, and the digest of the bytes that now run', async () => {
  const emulator = await startEmulator()
  const image = await bundleOf({ 'NIC-1': '22.42.1' })
  await addAccount(emulator, 'operator', { RoleId: 'Operator' })
  const { json } = await push(emulator, image, {}, { user: 'operator' })
  await emulator.clock.advance(LONG_MS)
  const [, added, ...more] = await versions(emulator)
  expect(more).toEqual([])
  expect(added).toEqual({
    Version: '22.42.1',
    ReleaseDate: (await emulator.get(NIC))['ReleaseDate'],
    ActivatedTime: expect.stringMatching(/^2026-01-01T00:00:\d\dZ$/) as string,
    ImageName: 'NIC-1 22.42.1',
    ImageSHA256: await digestIn(image),
    Username: 'operator',
    OriginAddress: 'http://127.0.0.1',
    RelatedItem: [{ '@odata.id': json['@odata.id'] }],
    'RelatedItem@odata.count': 1,
  })
})

test('the audit log tells of the version with its digest and its history', async () => {
  const emulator = await startEmulator()
  const image = await bundleOf({ 'NIC-1': '22.42.1' })
  const { task } = await update(emulator, image)
  const { Members } = await emulator.get(uris.logEntries(uris.manager('1'), AUDIT_LOG))
  const entries = Members as unknown as readonly JsonObject[]
  const told = entries.filter(({ MessageId }) => text(MessageId).endsWith('.UpdateSuccessful'))
  expect(told).toHaveLength(1)
  expect(told).toMatchObject([
    {
      MessageArgs: [NIC, 'NIC-1 22.42.1'],
      Description: `SHA-256 ${await digestIn(image)}`,
      Username: 'admin',
      OriginAddress: 'http://127.0.0.1',
      EventGroupId: Number(task['Id']),
      Links: {
        OriginOfCondition: { '@odata.id': NIC },
        RelatedItem: [{ '@odata.id': uris.task(text(task['Id'])) }, { '@odata.id': HISTORY }],
      },
    },
  ])
})

test('history and audit log name who vouched for the version', async () => {
  const emulator = await startEmulator()
  await update(emulator, await bundleOf({ BIOS: '1.9.0' }))
  const { now } = findComponent(emulator.bmc, 'BIOS') ?? {}
  if (now?.pending === undefined) throw new Error('nothing waits')
  const { sha256 } = now.pending
  commit(emulator.bmc, { components: [['BIOS', { ...now, pending: { ...now.pending, signer: 'Acme' } }]] })
  await reset(emulator, uris.system('1'), 'ForceRestart')
  await emulator.clock.advance(LONG_MS)
  const [, added] = await versions(emulator, uris.firmwareHistory('BIOS'))
  expect(added).toMatchObject({ ImageSHA256: sha256, Signer: 'Acme' })
  const { Members } = await emulator.get(uris.logEntries(uris.manager('1'), AUDIT_LOG))
  expect(Members).toContainEqual(
    expect.objectContaining({ Description: `SHA-256 ${sha256}, signed by Acme` }) as unknown,
  )
})

test('what waits for a reset is history only when it runs', async () => {
  const emulator = await startEmulator()
  const bios = uris.firmwareHistory('BIOS')
  const image = await bundleOf({ BIOS: '1.9.0' })
  await update(emulator, image)
  expect(await versions(emulator, bios)).toHaveLength(1)
  const installed = emulator.clock.now()
  await reset(emulator, uris.system('1'), 'ForceRestart')
  await emulator.clock.advance(LONG_MS)
  const [, added] = await versions(emulator, bios)
  expect(added).toMatchObject({
    Version: '1.9.0',
    ImageSHA256: await digestIn(image),
    Username: 'admin',
  })
  expect(Date.parse(text(added?.['ActivatedTime']))).toBeGreaterThan(installed)
})

test('an update that fails leaves no trace in the history', async () => {
  const emulator = await startEmulator()
  await update(
    emulator,
    await bundleOf({ 'NIC-1': '22.42.1' }, { requires: [{ component: 'BIOS', min: '99.0' }] }),
  )
  expect(await versions(emulator)).toHaveLength(1)
})

test('version, history and audit log change in one commit', async () => {
  const emulator = await startEmulator()
  const commits: string[][] = []
  emulator.bmc.listeners.add((change) => {
    if (change.history)
      commits.push([change.history, change.components, change.auditLog].map((one) => one?.[0]?.[0] ?? ''))
  })
  await update(emulator, await bundleOf({ 'NIC-1': '22.42.1' }))
  expect(commits).toEqual([['NIC-1', 'NIC-1', expect.stringMatching(/^\d+$/)]])
})

test('a task that is gone is not linked to', async () => {
  const emulator = await startEmulator()
  const { task } = await update(emulator, await bundleOf({ 'NIC-1': '22.42.1' }))
  expect((await emulator.send(uris.task(text(task['Id'])), { method: 'DELETE' })).status).toBe(204)
  const [, added = {}] = await versions(emulator)
  expect(added).not.toHaveProperty('RelatedItem')
  expect(added).toMatchObject({ Version: '22.42.1', Username: 'admin' })
})

test('of too many versions the oldest are forgotten, that of the factory first', async () => {
  const emulator = await startEmulator()
  await update(emulator, await bundleOf({ 'NIC-1': '22.42.1' }))
  const [entry] = emulator.bmc.state.history.get('NIC-1') ?? []
  if (entry === undefined) throw new Error('no history')
  const numbered = Array.from({ length: MAX_HISTORY }, (_, index) => ({
    ...entry,
    version: `22.42.${index}`,
  }))
  commit(emulator.bmc, { history: [['NIC-1', numbered]] })
  await update(emulator, await bundleOf({ 'NIC-1': '22.43.0' }))
  const shown = (await versions(emulator)).map(({ Version }) => Version)
  expect(shown).toHaveLength(MAX_HISTORY)
  expect([shown[0], shown.at(-1)]).toEqual(['22.42.1', '22.43.0'])
})

/** The digest of the one component's bytes in a bundle, which come behind the manifest. */
async function digestIn(bundle: Buffer): Promise<string> {
  const digests: string[] = []
  const entries = extract()
  entries.end(bundle)
  for await (const entry of entries)
    digests.push(
      createHash('sha256')
        .update(await buffer(entry))
        .digest('hex'),
    )
  return digests.at(-1) ?? ''
}
