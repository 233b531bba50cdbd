import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createEmulator, type Emulator } from '../../src/index.ts'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { quiet, runCommand, serve } from '../support/cli.ts'
import { basic } from '../support/emulator.ts'
import { temporaryFolder } from '../support/folders.ts'
import { bundleOf } from '../support/images.ts'
import { multipartBody, pushParts } from '../support/multipart.ts'

const image = await bundleOf({ 'NIC-1': '22.42.1' })

const start = (data: string) => createEmulator({ data, https: false, speed: 'max' })

interface Asked {
  readonly method?: string
  readonly body?: string | Buffer<ArrayBuffer>
  readonly headers?: Readonly<Record<string, string>>
}

async function ask({ url = '' }: Emulator, path: string, init: Asked = {}): Promise<JsonObject> {
  const headers = { authorization: basic('admin'), 'content-type': 'application/json', ...init.headers }
  const answer = await fetch(url + path, { ...init, headers })
  const text = await answer.text()
  return text === '' ? {} : (JSON.parse(text) as JsonObject)
}

/** A folder in which a service kept an account, an update and its image, and what it told of them. */
async function usedFolder() {
  const folder = join(temporaryFolder(), 'data')
  await using emulator = await start(folder)
  const account = { UserName: 'somebody', Password: 'password1', RoleId: 'ReadOnly' }
  await ask(emulator, uris.accounts, { method: 'POST', body: JSON.stringify(account) })
  await ask(emulator, uris.multipartPush, {
    method: 'POST',
    ...multipartBody(pushParts(image, { LocalImage: true })),
  })
  await expect.poll(async () => (await ask(emulator, uris.task('1')))['TaskState']).toBe('Completed')
  return { folder, told: await tell(emulator) }
}

async function tell(emulator: Emulator) {
  const paths = [uris.account('somebody'), uris.task('1'), uris.localImage('1'), uris.firmware('NIC-1')]
  return Promise.all(paths.map((path) => ask(emulator, path)))
}

const kept = (folder: string): string => readdirSync(join(folder, 'images'))[0] ?? ''

describe('data check', () => {
  test('tells what is there, and finds nothing wrong with it', async () => {
    const { folder } = await usedFolder()
    const { exitCode, out, err } = await runCommand(['data', 'check', folder])
    expect({ exitCode, err }).toEqual({ exitCode: 0, err: '' })
    expect(out).toMatch(/journal\.db: version 1, 1 BMC\(s\), \d+ record\(s\)\n/)
    for (const line of [/^ {2}accounts +1$/m, /^ {2}tasks +1$/m, /images: 1 image\(s\)$/m]) {
      expect(out).toMatch(line)
    }
  })

  test.each<[string, (folder: string) => void, RegExp]>([
    ['missing', (folder) => rmSync(join(folder, 'images', kept(folder))), /[0-9a-f]{64} is missing/],
    [
      'damaged',
      (folder) => writeFileSync(join(folder, 'images', kept(folder)), 'other'),
      /[0-9a-f]{64} is damaged/,
    ],
  ])('fails where an image is %s', async (_what, damage, line) => {
    const { folder } = await usedFolder()
    damage(folder)
    const { exitCode, out } = await runCommand(['data', 'check', folder])
    expect([exitCode, out]).toEqual([1, expect.stringMatching(line)])
  })

  test('tells of images that nobody needs, which harm nobody', async () => {
    const { folder } = await usedFolder()
    const digest = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
    writeFileSync(join(folder, 'images', digest), '')
    const { exitCode, out } = await runCommand(['data', 'check', folder])
    expect([exitCode, out]).toEqual([0, expect.stringContaining(`${digest} is needed by nobody`)])
    await (await start(folder)).close()
    expect(readdirSync(join(folder, 'images'))).toHaveLength(1)
  })

  test.each<[string, (folder: string) => void, RegExp]>([
    ['is not there', (folder) => rmSync(folder, { recursive: true }), /there is no .*journal\.db/],
    [
      'holds garbage',
      (folder) => writeFileSync(join(folder, 'journal.db'), 'garbage'),
      /damaged, or no database/,
    ],
  ])('refuses a folder that %s, and makes none', async (_what, damage, problem) => {
    const { folder } = await usedFolder()
    damage(folder)
    const wasThere = existsSync(folder)
    const { exitCode, err } = await runCommand(['data', 'check', folder])
    expect([exitCode, err, existsSync(folder)]).toEqual([1, expect.stringMatching(problem), wasThere])
  })

  test.each(['check', 'export'])('%s waits for no service: its folder is refused', async (command) => {
    const folder = temporaryFolder()
    await serve(['--data', folder])
    const { exitCode, out, err } = await runCommand(['data', command, folder])
    expect([exitCode, out, err]).toEqual([1, '', expect.stringContaining('in use by another process')])
  })
})

describe('data export and data import', () => {
  test('carry everything to another folder, once its images are there', async () => {
    const { folder, told } = await usedFolder()
    const exported = await runCommand(['data', 'export', folder])
    expect(exported).toMatchObject({ exitCode: 0, err: '' })
    const other = join(temporaryFolder(), 'not/there/yet')
    const imported = await runCommand(['data', 'import', other], { input: exported.out })
    const lines = exported.out.trimEnd().split('\n')
    expect(imported).toMatchObject({ exitCode: 0, out: `${lines.length - 1} record(s)\n`, err: '' })
    expect((await runCommand(['data', 'export', other])).out).toBe(exported.out)
    renameSync(join(folder, 'images'), join(other, 'images'))
    await using emulator = await start(other)
    expect(await tell(emulator)).toEqual(told)
    expect(
      await ask(emulator, uris.accounts, { headers: { authorization: basic('somebody', 'password1') } }),
    ).toMatchObject({ 'Members@odata.count': 2 })
  })

  test('have every record on a line of its own', async () => {
    const { folder } = await usedFolder()
    const { out } = await runCommand(['data', 'export', folder])
    const [first, ...records] = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as JsonObject)
    expect(first).toEqual({ format: 'redflash-data', version: 1, records: records.length })
    expect(records.find(({ table, key }) => table === 'accounts' && key === 'somebody')).toMatchObject({
      owner: '1',
      value: { username: 'somebody', roleId: 'ReadOnly', salt: { '~bytes': expect.any(String) } },
    })
  })

  test.each<[string, string, RegExp]>([
    ['nothing', '', /line 1: no JSON object/],
    ['what is no export', '{"owner":"1"}\n', /line 1: this is nothing that data export printed/],
    ['the export of a newer one', '{"format":"redflash-data","version":2}\n', /line 1: this is version 2/],
    [
      'a line that is no record',
      '{"format":"redflash-data","version":1}\n{"owner":"1","table":"t","key":"k","value":1}\n{"owner":"1"}\n',
      /line 3: no record/,
    ],
    [
      'a line that was cut',
      '{"format":"redflash-data","version":1}\n{"owner":"1","tab',
      /line 2: no JSON object/,
    ],
    [
      'an export that was cut between two lines',
      '{"format":"redflash-data","version":1,"records":2}\n{"owner":"1","table":"t","key":"k","value":1}\n',
      /there are 1 records of 2/,
    ],
  ])('import refuses %s, and makes nothing', async (_what, input, problem) => {
    const folder = join(temporaryFolder(), 'data')
    const { exitCode, err } = await runCommand(['data', 'import', folder], { input })
    expect([exitCode, err, existsSync(folder)]).toEqual([1, expect.stringMatching(problem), false])
  })

  test('import refuses a folder with something in it, and leaves it as it is', async () => {
    const { folder } = await usedFolder()
    const { out } = await runCommand(['data', 'export', folder])
    const before = readFileSync(join(folder, 'journal.db'))
    const { exitCode, err } = await runCommand(['data', 'import', folder], { input: out })
    expect([exitCode, err]).toEqual([1, expect.stringContaining('is not empty')])
    expect(readFileSync(join(folder, 'journal.db')).equals(before)).toBe(true)
  })

  test('export says in its help that there are secrets in it', async () => {
    expect((await runCommand(['data', 'export', '--help'])).out).toMatch(/Secrets/)
  })
})

describe('serve --data', () => {
  test('refuses a damaged folder with a line that says why', async () => {
    const folder = temporaryFolder()
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'journal.db'), 'garbage')
    const { exitCode, out, err } = await runCommand(['serve', ...quiet, '--data', folder])
    expect([exitCode, out, err]).toEqual([
      1,
      '',
      expect.stringMatching(/^\S+journal\.db is damaged, or no database\n?$/),
    ])
  })

  test('refuses a folder that another service has', async () => {
    const folder = temporaryFolder()
    await serve(['--data', folder])
    const { exitCode, err } = await runCommand(['serve', ...quiet, '--data', folder])
    expect([exitCode, err]).toEqual([1, expect.stringContaining(`${folder} is in use by another process`)])
  })

  test('keeps what happened over its end, all but sessions', async () => {
    const { folder, told } = await usedFolder()
    await using emulator = await start(folder)
    expect(await tell(emulator)).toEqual(told)
    expect(await ask(emulator, uris.sessions)).toMatchObject({ 'Members@odata.count': 0 })
    const data = await fetch(emulator.url + uris.localImageData('1'), {
      headers: { authorization: basic('admin') },
    })
    expect(Buffer.from(await data.arrayBuffer()).equals(image)).toBe(true)
  })
})
