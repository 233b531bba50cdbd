import { mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseImageFolders } from '../../src/transfer/image-folders.ts'
import { given, problemIn, started } from '../contracts/fetcher.ts'
import { temporaryFolder } from '../support/wire.ts'

/** A folder that is shared, with an image and with ways out of it. */
async function share() {
  const parent = await temporaryFolder()
  const folder = join(parent, 'shared')
  await mkdir(join(folder, 'sub'), { recursive: true })
  await mkdir(join(parent, 'shared-not'))
  for (const file of ['shared/image.bin', 'shared/sub/fw 1.bin', 'secret.bin', 'shared-not/secret.bin']) {
    await writeFile(join(parent, file), file)
  }
  await symlink(join(parent, 'secret.bin'), join(folder, 'out.bin'))
  await symlink(parent, join(folder, 'up'))
  await symlink('../shared-not', join(folder, 'beside'))
  await symlink('../image.bin', join(folder, 'sub/link.bin'))
  await symlink('loop.bin', join(folder, 'loop.bin'))
  return folder
}

async function ask(uri: string, list: string) {
  const folders = parseImageFolders(list)
  if (folders === undefined) throw new Error(`no list: ${list}`)
  const source = async () => ({ uri: new URL(uri), connections: () => 0, folders })
  const { fetch } = await started(source, 'serves')
  return fetch({})
}

async function textOf(opened: Awaited<ReturnType<typeof ask>>): Promise<string> {
  let text = ''
  for await (const chunk of given(opened).body) text += Buffer.from(chunk).toString()
  return text
}

test.each([
  ['nfs://server/export/image.bin', 'shared/image.bin', 'image.bin'],
  ['NFS://SERVER/export/image.bin', 'shared/image.bin', 'image.bin'],
  ['nfs://server/export/sub/fw%201.bin', 'shared/sub/fw 1.bin', 'fw 1.bin'],
  ['nfs://server/export/sub/link.bin', 'shared/image.bin', 'link.bin'],
])('%s is a file below the folder', async (uri, text, fileName) => {
  const opened = await ask(uri, `nfs://server/export=${await share()}`)
  expect(opened).toMatchObject({ value: { fileName, sizeBytes: text.length } })
  expect(await textOf(opened)).toBe(text)
})

test.each([
  'none.bin',
  'sub',
  'sub/',
  'image.bin/',
  'image.bin/x',
  'out.bin',
  'up/secret.bin',
  'beside/secret.bin',
  'loop.bin',
  '..%2Fsecret.bin',
  'sub/..%2f..%2fsecret.bin',
  '%2e%2e%2Fshared-not/secret.bin',
  'image.bin%00',
])('nfs://server/export/%s is no image', async (path) => {
  const opened = await ask(`nfs://server/export/${path}`, `nfs://server/export=${await share()}`)
  expect(opened).toEqual({ ok: false, problem: { kind: 'missing' } })
})

test.each([
  'nfs://other/export/image.bin',
  'nfs://server/exported/image.bin',
  'nfs://server/export',
  'nfs://server/image.bin',
  'cifs://server/export/image.bin',
])('%s is not shared by any folder', async (uri) => {
  const opened = await ask(uri, `nfs://server/export=${await share()}`)
  expect(opened).toEqual({ ok: false, problem: { kind: 'unsupported' } })
})

test('a share within a share has a folder of its own', async () => {
  const folder = await share()
  const list = `nfs://server/export/sub=${folder}, nfs://server/export=${folder}/sub`
  expect(await textOf(await ask('nfs://server/export/sub/image.bin', list))).toBe('shared/image.bin')
  expect(await textOf(await ask('nfs://server/export/fw%201.bin', list))).toBe('shared/sub/fw 1.bin')
})

test.each([
  ['cifs', 'smb'],
  ['smb', 'cifs'],
])('%s is %s', async (listed, asked) => {
  const list = `${listed}://server/share=${await share()}`
  expect(await textOf(await ask(`${asked}://server/share/image.bin`, list))).toBe('shared/image.bin')
})

test('a folder that is not there is a server that is not there', async () => {
  const folder = await share()
  await rm(folder, { recursive: true })
  expect(await ask('nfs://server/export/image.bin', `nfs://server/export=${folder}`)).toMatchObject({
    ok: false,
    problem: { kind: 'no-connection' },
  })
})

test('an image that becomes longer while it is read is not whole', async () => {
  const folder = await share()
  const remote = given(await ask('nfs://server/export/image.bin', `nfs://server/export=${folder}`))
  await writeFile(join(folder, 'image.bin'), 'x'.repeat(100))
  expect(await problemIn(remote)).toMatchObject({ kind: 'interrupted' })
})

test.each([
  'nfs://server/export',
  'nfs://server/export=',
  'nfs://server=/srv/images',
  'http://server/images=/srv/images',
  '/srv/images',
  'nfs://server/export=/srv/images,x',
])('%s is no list of folders', (text) => {
  expect(parseImageFolders(text)).toBeUndefined()
})

test('a list of folders may be empty', () => {
  expect(parseImageFolders('')).toEqual(new Map())
})
