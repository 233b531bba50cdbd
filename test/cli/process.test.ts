import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { join, resolve } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createEmulator } from '../../src/index.ts'
import { uris } from '../../src/redfish/uris.ts'
import { basic } from '../support/emulator.ts'
import { bundleOf } from '../support/images.ts'
import { multipartBody, pushParts } from '../support/multipart.ts'
import { filesBelow, head, rawClient, startWire, temporaryFolder } from '../support/wire.ts'

const root = resolve(import.meta.dirname, '../..')

/** The program as users run it: a process of its own. */
function start(...args: readonly string[]) {
  const child = spawn(process.execPath, ['src/main.ts', ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>
  return { child, ended, err: text(child.stderr) }
}

async function serve() {
  const spool = await temporaryFolder()
  const running = start('serve', '--port', '0', '--https-port', '0', '--spool', spool, '--log-level', 'warn')
  const lines: string[] = []
  for await (const line of createInterface({ input: running.child.stdout })) {
    lines.push(line)
    if (line.startsWith('try:')) break
  }
  const url = /http:\/\/\S+:\d+/.exec(lines[0] ?? '')?.[0] ?? ''
  return { ...running, lines, spool, url, port: Number(new URL(url).port) }
}

test.each([['check'], ['export']])('data %s says nothing where nobody reads what it prints', async (what) => {
  const folder = await temporaryFolder()
  const emulator = await createEmulator({ data: folder, https: false })
  await emulator.close()
  const { child, ended, err } = start('data', what, folder)
  child.stdout.destroy()
  expect(await ended).toEqual([0, null])
  expect(await err).toBe('')
})

describe.each(['SIGTERM', 'SIGINT'] as const)('%s', (signal) => {
  test('ends a service that is ready, with exit code 0 and nothing in its log', async () => {
    const { child, ended, err, lines, url } = await serve()
    expect(lines).toHaveLength(4)
    expect((await fetch(url + uris.root)).status).toBe(200)
    child.kill(signal)
    expect(await ended).toEqual([0, null])
    expect(await err).toBe('')
  })

  test('lets a running upload end and leaves an empty spool', async () => {
    const { child, ended, err, spool, url, port } = await serve()
    const { headers, body } = multipartBody(pushParts(await bundleOf({ 'NIC-1': '22.42.1000' })))
    const pushed = await fetch(url + uris.multipartPush, {
      method: 'POST',
      headers: { ...headers, authorization: basic('admin') },
      body: Uint8Array.from(body),
    })
    expect(pushed.status).toBe(202) // its task runs for minutes
    const other = multipartBody(pushParts(await bundleOf({ 'NIC-1': '22.43.0' })))
    const client = rawClient(port).send(
      head('POST', uris.multipartPush, { ...other.headers, 'Content-Length': other.body.length }),
      other.body.subarray(0, -1),
    )
    await expect.poll(() => filesBelow(spool)).toHaveLength(2)
    child.kill(signal)
    // Who connects is refused from then on; who is being served is answered.
    await expect
      .poll(() =>
        fetch(url + uris.root).then(
          () => 'served',
          () => 'refused',
        ),
      )
      .toBe('refused')
    expect((await client.send(other.body.subarray(-1)).answer()).status).toBe(503)
    expect(await ended).toEqual([0, null])
    expect(await filesBelow(spool)).toEqual([])
    expect(await err).toBe('')
  })

  test('cuts an upload that does not end, and leaves an empty spool', async () => {
    const { child, ended, err, spool, port } = await serve()
    const { headers, body } = multipartBody(pushParts(await bundleOf({ 'NIC-1': '22.42.1000' })))
    const client = rawClient(port).send(
      head('POST', uris.multipartPush, { ...headers, 'Content-Length': body.length }),
      body.subarray(0, -1),
    )
    await expect.poll(() => filesBelow(spool)).toHaveLength(1)
    child.kill(signal)
    expect(await client.ended()).toBe('')
    expect(await ended).toEqual([0, null])
    expect(await filesBelow(spool)).toEqual([])
    expect(await err).toBe('')
  })
})

describe('exit codes', () => {
  test.each([
    [['serve', '--port', 'x'], 1, '--port'],
    [['image', 'inspect', join('test', 'missing.tar')], 1, 'missing.tar'],
    [['brew'], 1, 'error'],
    [['--help'], 0, ''],
  ])('%j ends with %i', async (args, code, complaint) => {
    const { child, ended, err } = start(...args)
    child.stdout.resume()
    expect(await ended).toEqual([code, null])
    expect(await err).toContain(complaint)
  })
})

describe('push, in a process of its own', () => {
  test.each([
    { what: 'a file', id: 'NIC-1', version: '22.42.1', options: [], place: (file: string) => file },
    {
      what: 'an image that the service fetches, and its reset',
      id: 'BIOS',
      version: '1.9.0',
      options: ['--reset'],
      place: serveFile,
    },
  ])('stays until the end with $what', async ({ id, version, options, place }) => {
    // Slow enough that it has to wait between two looks, with nothing else to do.
    const { url, bmc, get } = await startWire({ speed: 100 })
    const file = join(await temporaryFolder(), 'image.tar')
    await writeFile(file, await bundleOf({ [id]: version }))
    const { ended, err } = start('push', url, await place(file), ...options)
    expect([await ended, await err]).toEqual([[0, null], expect.not.stringContaining('Warning')])
    expect((await get(uris.firmware(id))).json).toMatchObject({ Version: version })
    expect([...bmc.state.tasks.values()].map(({ state }) => state)).toEqual(['Completed'])
  })
})

/** A server that has nothing but this file, and its URI. */
async function serveFile(file: string): Promise<string> {
  const server = createServer((_request, response) => createReadStream(file).pipe(response))
  onTestFinished(() => void server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/image.tar`
}
