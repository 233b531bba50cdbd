import { buffer } from 'node:stream/consumers'
import { Readable } from 'node:stream'
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { KeptImage } from '../../src/image/store.ts'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { startEmulator, type TestEmulator, type TestRequest } from '../support/emulator.ts'
import { RECEIVER, recordingSink, told } from '../support/events.ts'
import { bundleOf } from '../support/images.ts'
import { validateBody } from '../support/schemas.ts'
import { reset, update } from '../support/updates.ts'

const versions = { 'NIC-1': '22.42.1', 'NIC-2': '99.0.0' }
const image = await bundleOf(versions, { releaseDate: '2026-01-01T00:00:00Z' })
const other = await bundleOf({ 'NIC-1': '22.43.0' })
const digest = createHash('sha256').update(image).digest('hex')
const ENTRY = uris.localImage('1')
const DATA = uris.localImageData('1')

/** Pushes an image that is to be kept, too, and lets its update end. */
const keep = (emulator: TestEmulator, bytes = image, parameters: JsonObject = {}) =>
  update(emulator, bytes, { LocalImage: true, ...parameters })
const members = async ({ get }: TestEmulator): Promise<unknown> => (await get(uris.localImages))['Members']
const room = async ({ get }: TestEmulator): Promise<unknown> =>
  (await get(uris.updateService))['LocalImageStoreAvailableCapacityBytes']
const remove = ({ send }: TestEmulator, request: TestRequest = {}) =>
  send(ENTRY, { method: 'DELETE', ...request })
const bytesOf = ({ spooled, sizeBytes }: KeptImage) => buffer(Readable.from(spooled.read(0, sizeBytes)))

/** The bytes of an entry; whoever looks at them lets go of them. */
async function stored({ app, bmc }: TestEmulator, id = '1'): Promise<Buffer | undefined> {
  const found = app.images.open(bmc, id)
  const bytes = found && (await bytesOf(found))
  await found?.spooled.discard()
  return bytes
}

describe('the LocalImageStore', () => {
  test('is empty at first', async () => {
    const emulator = await startEmulator({ imageStoreBytes: 1_000_000 })
    expect(await emulator.get(uris.updateService)).toMatchObject({
      LocalImageStore: { '@odata.id': uris.localImages },
      LocalImageStoreTotalCapacityBytes: 1_000_000,
      LocalImageStoreAvailableCapacityBytes: 1_000_000,
    })
    const store = await emulator.get(uris.localImages)
    expect(store).toMatchObject({ Members: [], 'Members@odata.count': 0 })
    expect(validateBody(store)).toEqual([])
    expect((await emulator.send(ENTRY)).status).toBe(404)
    expect((await emulator.send(DATA)).status).toBe(404)
  })

  test('keeps the image of an update that asks for it', async () => {
    const emulator = await startEmulator({ imageStoreBytes: 1_000_000 })
    await keep(emulator)
    expect(await emulator.get(uris.firmware('NIC-1'))).toMatchObject({ Version: '22.42.1' })
    expect(await members(emulator)).toEqual([{ '@odata.id': ENTRY }])
    const { '@odata.etag': _, ...entry } = await emulator.get(ENTRY)
    expect(validateBody(entry)).toEqual([])
    expect(entry).toEqual({
      '@odata.id': ENTRY,
      '@odata.type': '#SoftwareInventory.v1_13_0.SoftwareInventory',
      Id: '1',
      Name: 'update.tar',
      Status: { State: 'StandbyOffline', Health: 'OK' },
      Version: '22.42.1',
      SoftwareId: emulator.bmc.machine.components.get('NIC-1')?.softwareId,
      ReleaseDate: '2026-01-01T00:00:00Z',
      Updateable: false,
      SizeBytes: image.length,
      ImageDataURI: '/redfish/v1/UpdateService/LocalImageStore/1/ImageData',
    })
    expect(await room(emulator)).toBe(1_000_000 - image.length)
    expect(await stored(emulator)).toEqual(image)
  })

  test.each([{}, { LocalImage: false }])('keeps nothing of an update with %j', async (parameters) => {
    const emulator = await startEmulator()
    await update(emulator, image, parameters)
    expect(await members(emulator)).toEqual([])
    expect(emulator.spool.entries.size).toBe(0)
  })

  test('keeps the same bytes once, whatever their name', async () => {
    const emulator = await startEmulator({ imageStoreBytes: image.length })
    await keep(emulator)
    const { task } = await keep(emulator)
    expect(task).toMatchObject({ TaskState: 'Completed' })
    expect(await members(emulator)).toHaveLength(1)
    expect([await room(emulator), emulator.spool.entries.size]).toEqual([0, 1])
  })

  test('keeps several images, and gives the Id of none of them again', async () => {
    const emulator = await startEmulator()
    await keep(emulator)
    await keep(emulator, other)
    const second = { '@odata.id': uris.localImage('2') }
    expect(await members(emulator)).toEqual([{ '@odata.id': ENTRY }, second])
    for (const id of ['1', '2']) await emulator.send(uris.localImage(id), { method: 'DELETE' })
    await keep(emulator, other, { ForceUpdate: true })
    expect(await members(emulator)).toEqual([{ '@odata.id': uris.localImage('3') }])
  })

  test('has room for an image that just fits, and says where there is none', async () => {
    const emulator = await startEmulator({ imageStoreBytes: image.length + other.length - 1 })
    await keep(emulator)
    const { task, keys } = await keep(emulator, other)
    expect(task).toMatchObject({ TaskState: 'Exception' })
    expect(keys).toContain('InsufficientStorage')
    expect(await members(emulator)).toHaveLength(1)
    expect(emulator.spool.entries.size).toBe(1)
    // What it was kept for was not done either.
    expect(await emulator.get(uris.firmware('NIC-1'))).toMatchObject({ Version: '22.42.1' })
    await remove(emulator)
    expect((await keep(emulator, other)).task).toMatchObject({ TaskState: 'Completed' })
  })

  test('outlives a reset of the manager', async () => {
    const emulator = await startEmulator()
    await keep(emulator)
    await reset(emulator, uris.manager('1'))
    await emulator.clock.advance(600_000)
    expect(await stored(emulator)).toEqual(image)
  })

  test('tells subscribers of what comes and goes', async () => {
    const { sink, records } = recordingSink()
    const emulator = await startEmulator({ eventSink: sink })
    const body = { Destination: RECEIVER, Protocol: 'Redfish' }
    await emulator.send(uris.eventDestinations, { method: 'POST', body })
    await keep(emulator)
    await remove(emulator)
    await emulator.clock.advance(1_000)
    expect(
      records()
        .map(told)
        .filter((one) => one.endsWith(' LocalImageStore/1')),
    ).toEqual([
      'ResourceEvent.ResourceCreated LocalImageStore/1',
      'ResourceEvent.ResourceRemoved LocalImageStore/1',
    ])
  })
})

describe('an entry of the LocalImageStore', () => {
  test('is removed with its bytes', async () => {
    const emulator = await startEmulator()
    await keep(emulator)
    expect((await remove(emulator)).status).toBe(204)
    expect(await members(emulator)).toEqual([])
    expect(emulator.spool.entries.size).toBe(0)
    const gone = await Promise.all([ENTRY, DATA].map(async (uri) => (await emulator.send(uri)).status))
    expect(gone).toEqual([404, 404])
    expect((await remove(emulator)).status).toBe(404)
  })

  test('is removed by those who may change components, and only as they know it', async () => {
    const emulator = await startEmulator()
    await keep(emulator)
    expect((await remove(emulator, { user: 'reader' })).status).toBe(403)
    expect((await remove(emulator, { headers: { 'if-match': '"stale"' } })).status).toBe(412)
    const { etag } = (await emulator.send(ENTRY)).headers
    expect((await remove(emulator, { headers: { 'if-match': String(etag) } })).status).toBe(204)
  })

  test('cannot be changed', async () => {
    const emulator = await startEmulator()
    await keep(emulator)
    const answer = await emulator.send(ENTRY, { method: 'PATCH', body: { WriteProtected: true } })
    expect([answer.status, answer.headers['allow']]).toEqual([405, 'GET, HEAD, DELETE'])
  })

  test('goes at once, and its bytes when nobody reads them any more', async () => {
    const emulator = await startEmulator()
    await keep(emulator)
    const { app, bmc, spool } = emulator
    const [first, second] = [app.images.open(bmc, '1'), await app.images.find(bmc, DATA)]
    if (first === undefined || second === undefined) throw new Error('no image')
    await remove(emulator)
    expect(app.images.open(bmc, '1')).toBeUndefined()
    await first.spooled.discard()
    await first.spooled.discard()
    expect([(await bytesOf(second)).equals(image), spool.entries.size]).toEqual([true, 1])
    await second.spooled.discard()
    expect(spool.entries.size).toBe(0)
  })

  test('is kept again while somebody still reads what was removed', async () => {
    const emulator = await startEmulator()
    await keep(emulator)
    const { app, bmc, spool } = emulator
    const reader = app.images.open(bmc, '1')
    await remove(emulator)
    await keep(emulator, image, { ForceUpdate: true })
    await reader?.spooled.discard()
    expect(spool.entries.size).toBe(1)
    const found = await app.images.find(bmc, uris.localImage('2'))
    expect(found && (await bytesOf(found)).equals(image)).toBe(true)
  })

  test('may be removed while its update runs, which ends all the same', async () => {
    const emulator = await startEmulator()
    const { app, bmc, clock, spool } = emulator
    await keep(emulator)
    const kept = await app.images.find(bmc, ENTRY)
    expect(kept).toMatchObject({ fileName: 'update.tar', sha256: digest, sizeBytes: image.length })
    await kept?.spooled.discard()
    const pulled = await emulator.send(uris.action(uris.updateService, 'UpdateService.SimpleUpdate'), {
      method: 'POST',
      body: { ImageURI: DATA, ForceUpdate: true },
    })
    expect(pulled.status).toBe(202)
    expect((await remove(emulator)).status).toBe(204)
    await clock.advance(120_000)
    expect(await emulator.get(uris.task('2'))).toMatchObject({ TaskState: 'Completed', TaskStatus: 'OK' })
    expect(spool.entries.size).toBe(0)
  })

  test('is found by no other path', async () => {
    const emulator = await startEmulator()
    await keep(emulator)
    const { app, bmc } = emulator
    const paths = [`${ENTRY}/`, `${DATA}/x`, uris.localImages, uris.localImage('2'), '', '1']
    expect(await Promise.all(paths.map((path) => app.images.find(bmc, path)))).toEqual(
      paths.map(() => undefined),
    )
  })
})
