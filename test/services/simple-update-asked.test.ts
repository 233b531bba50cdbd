import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { bundleOf } from '../support/images.ts'
import { messageKeys, push } from '../support/multipart.ts'
import { askedFor, pull, startFetching } from '../support/pulls.ts'
import { LONG_MS } from '../support/updates.ts'

const image = await bundleOf({ 'NIC-1': '22.42.1', 'NIC-2': '99.0.0' })
const ImageURI = 'http://images.example/update.tar'
const NIC_1 = uris.firmware('NIC-1')
const NIC_2 = uris.firmware('NIC-2')
const DATA = uris.localImageData('1')
const APPLY_TIME = '@Redfish.OperationApplyTime'
type Emulator = Awaited<ReturnType<typeof startFetching>>

const versionOf = async ({ get }: Emulator, uri: string): Promise<unknown> => (await get(uri))['Version']

describe('an image that the service keeps itself', () => {
  async function startKeeping() {
    const emulator = await startFetching(image)
    await push(emulator, image, { LocalImage: true })
    await emulator.clock.advance(LONG_MS)
    return emulator
  }

  test.each([
    [DATA, {}],
    [uris.localImage('1'), {}],
    [`${DATA}/`, { TransferProtocol: 'TFTP' }],
  ])('is applied again by %s, and fetched from nowhere', async (own, more) => {
    const emulator = await startKeeping()
    const answer = await pull(emulator, { ImageURI: own, ForceUpdate: true, ...more })
    expect(answer.status).toBe(202)
    await emulator.clock.advance(LONG_MS)
    const task = await emulator.get(uris.task('2'))
    expect(task).toMatchObject({ TaskState: 'Completed', TaskStatus: 'OK' })
    expect(messageKeys(task).filter((key) => key === 'UpdateSuccessful')).toHaveLength(2)
    expect(JSON.parse((task['Payload'] as { readonly JsonBody: string }).JsonBody)).toEqual({
      ImageURI: own.replace(/\/$/, ''),
      ForceUpdate: true,
      ...more,
    })
    expect(emulator.asked).toEqual([])
    // The entry's own bytes, and no others.
    expect(emulator.spool.entries.size).toBe(1)
  })

  test('is let go of again where its target is busy', async () => {
    const emulator = await startKeeping()
    await push(emulator, image, { ForceUpdate: true })
    const { status, json } = await pull(emulator, { ImageURI: DATA, ForceUpdate: true })
    expect({ status, keys: messageKeys(json) }).toEqual({
      status: 503,
      keys: ['ServiceTemporarilyUnavailable', 'ResourceInUse'],
    })
    await emulator.clock.advance(LONG_MS)
    await emulator.send(uris.localImage('1'), { method: 'DELETE' })
    expect(emulator.spool.entries.size).toBe(0)
  })

  test('is not what another service keeps under the same path', async () => {
    const emulator = await startKeeping()
    const elsewhere = `https://other.example${DATA}`
    expect(await askedFor(emulator, { ImageURI: elsewhere, ForceUpdate: true })).toMatchObject({
      href: elsewhere,
    })
  })
})

describe('credentials', () => {
  test.each<[JsonObject, string | undefined, string | undefined]>([
    [{ ImageURI }, undefined, undefined],
    [{ ImageURI, Username: 'user', Password: 'secret' }, 'user', 'secret'],
    [{ ImageURI: 'http://user:secret@host/x' }, 'user', 'secret'],
    [{ ImageURI: 'user:secret@host/x' }, 'user', 'secret'],
    [{ ImageURI: 'sftp://us%40er:se%3Acret%2f@host/x' }, 'us@er', 'se:cret/'],
    [{ ImageURI: 'http://100%:se%zzcret@host/x' }, '100%', 'se%zzcret'],
    [{ ImageURI: 'http://user:secret@host/x', Username: 'other', Password: 'word' }, 'other', 'word'],
  ])('in %j are %s and %s', async (body, username, password) => {
    const credentials = await askedFor(await startFetching(image), body)
    expect(credentials).toMatchObject({ username, password })
    expect(credentials.href).toMatch(/^\w+:\/\/(host|images\.example)\//)
  })
})

describe('what a request asks for', () => {
  test.each<[string, JsonObject, JsonObject]>([
    ['nothing else', {}, { 'NIC-1': '22.42.1', 'NIC-2': '99.0.0' }],
    ['Targets', { Targets: [NIC_2] }, { 'NIC-1': '22.41.1000', 'NIC-2': '99.0.0' }],
    ['ExcludeTargets', { ExcludeTargets: [NIC_2] }, { 'NIC-1': '22.42.1', 'NIC-2': '7.13.2' }],
    ['Stage', { Stage: true }, { 'NIC-1': '22.41.1000', 'NIC-2': '7.13.2' }],
    ['an apply time', { [APPLY_TIME]: 'OnReset' }, { 'NIC-1': '22.41.1000', 'NIC-2': '7.13.2' }],
  ])('%s is done', async (_what, parameters, expected) => {
    const emulator = await startFetching(image)
    expect((await pull(emulator, { ImageURI, ...parameters })).status).toBe(202)
    await emulator.clock.advance(LONG_MS)
    const found = { 'NIC-1': await versionOf(emulator, NIC_1), 'NIC-2': await versionOf(emulator, NIC_2) }
    expect(found).toEqual(expected)
    const staged = ['NIC-1-22.42.1', 'NIC-2-99.0.0'].map((id) => emulator.get(uris.firmware(id)))
    const isStaged = (await Promise.all(staged)).map(({ Staged }) => Staged === true)
    expect(isStaged).toEqual([parameters['Stage'] === true, parameters['Stage'] === true])
  })

  test.each([
    [false, 'UpdateSkipped'],
    [true, 'UpdateSuccessful'],
  ])('ForceUpdate %s with an older version comes to %s', async (ForceUpdate, key) => {
    const old = await bundleOf({ 'NIC-1': '22.40.0' })
    const emulator = await startFetching(old)
    await pull(emulator, { ImageURI, ForceUpdate })
    await emulator.clock.advance(LONG_MS)
    expect(messageKeys(await emulator.get(uris.task('1')))).toContain(key)
  })

  test('LocalImage keeps what was fetched', async () => {
    const emulator = await startFetching(image)
    await pull(emulator, { ImageURI, LocalImage: true })
    await emulator.clock.advance(LONG_MS)
    expect(await emulator.get(uris.localImage('1'))).toMatchObject({
      Name: 'update.tar',
      SizeBytes: image.length,
    })
  })
})
