import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { runCommand } from '../support/cli.ts'
import { basic } from '../support/emulator.ts'
import { serveHttp } from '../support/image-server.ts'
import { bundleOf } from '../support/images.ts'
import { fileOf } from '../support/pushing.ts'
import { startWire, temporaryFolder, type Wire } from '../support/wire.ts'

const versionOf = async ({ get }: Wire, id: string): Promise<unknown> =>
  (await get(uris.firmware(id))).json['Version']

/** A service that answers these paths, and 404 elsewhere. */
async function otherService(answers: Readonly<Record<string, JsonObject>>): Promise<string> {
  const server = createServer((request, response) => {
    const body = answers[request.url ?? '']
    response
      .writeHead(body ? 200 : 404, { 'Content-Type': 'application/json' })
      .end(JSON.stringify(body ?? {}))
  })
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}` // a TCP server's address
}

describe('push', () => {
  test('ends with 0 when the update has completed, and shows how it went', async () => {
    const wire = await startWire()
    const file = await fileOf(await bundleOf({ 'NIC-1': '22.42.1000' }))
    const { exitCode, out, err } = await runCommand(['push', wire.url, file])
    expect({ exitCode, err }).toEqual({ exitCode: 0, err: '' })
    expect(await versionOf(wire, 'NIC-1')).toBe('22.42.1000')
    expect(out).toContain('MiB/s')
    expect(out).toContain('Completed 100 %')
    expect(out).toMatch(/\(Update\.[\d.]+\.UpdateSuccessful\)/)
    expect(out).not.toContain('\r')
  })

  test('draws a bar on a terminal', async () => {
    const wire = await startWire()
    const file = await fileOf(await bundleOf({ 'NIC-1': '22.42.1000' }))
    const { exitCode, out } = await runCommand(['push', wire.url, file], { isTerminal: true })
    expect(exitCode).toBe(0)
    expect(out).toMatch(/\r\[#+\] /)
  })

  test('ends with 1 when the image is none', async () => {
    const { url } = await startWire()
    const { exitCode, out, err } = await runCommand(['push', url, await fileOf(Buffer.from('no image'))])
    expect(exitCode).toBe(1)
    expect(out).toContain('Exception')
    expect(err).toContain('did not complete')
  })

  test('ends with 1 when there was nothing to do, and with 0 when that is forced', async () => {
    const wire = await startWire()
    const same = String(await versionOf(wire, 'NIC-1'))
    const file = await fileOf(await bundleOf({ 'NIC-1': same }))
    const { exitCode, out } = await runCommand(['push', wire.url, file])
    expect(exitCode).toBe(1)
    expect(out).toContain('UpdateSkippedSameVersion')
    expect(await runCommand(['push', wire.url, file, '--force'])).toMatchObject({ exitCode: 0 })
  })

  test('ends with 1 when it is refused, with the reason', async () => {
    const { url } = await startWire({ maxImageSize: '1KiB' })
    const file = await fileOf(await bundleOf({ 'NIC-1': '22.42.1000' }))
    const { exitCode, err } = await runCommand(['push', url, file])
    expect(exitCode).toBe(1)
    expect(err).toContain('413')
    expect(err).toContain('PayloadTooLarge')
  })

  test.each([
    [['--apply-time', 'Whenever'], 'PropertyValueNotInList'],
    [['--target', `${uris.firmwareInventory}/Nothing`], 'ResourceMissingAtURI'],
    [['--password', 'wrong'], 'AccessUnauthorized'],
    [['--user', 'nobody'], 'AccessUnauthorized'],
  ])('hands on what the service has against %j', async (args, key) => {
    const { url, bmc } = await startWire()
    const file = await fileOf(await bundleOf({ 'NIC-1': '22.42.1000' }))
    const { exitCode, err } = await runCommand(['push', url, file, ...args])
    expect(exitCode).toBe(1)
    expect(err).toContain(key)
    expect(bmc.state.tasks.size).toBe(0)
  })

  test('with --target updates what is named, and nothing else', async () => {
    const wire = await startWire()
    const before = await versionOf(wire, 'PSU-1')
    const file = await fileOf(await bundleOf({ 'PSU-1': '1.8.0.0' })) // firmware for both of them
    const targetsOf = (...ids: string[]) => ids.flatMap((id) => ['--target', uris.firmware(id)])
    expect(await runCommand(['push', wire.url, file, ...targetsOf('PSU-2')])).toMatchObject({ exitCode: 0 })
    expect(await versionOf(wire, 'PSU-1')).toBe(before)
    expect(await versionOf(wire, 'PSU-2')).toBe('1.8.0.0')
    const both = await runCommand(['push', wire.url, file, '--force', ...targetsOf('PSU-2', 'PSU-1')])
    expect(both.exitCode).toBe(0)
    expect(await versionOf(wire, 'PSU-1')).toBe('1.8.0.0')
  })

  test.each([
    [[], '1.8.0', 'waits for a reset'],
    [['--reset'], '9.9.9', 'Completed 100 %'],
    [['--reset', '--apply-time', 'OnStartUpdateRequest'], '1.8.0', 'waits for UpdateService.StartUpdate'],
    [['--reset', '--apply-time', 'OnStartUpdateRequest', '--start'], '9.9.9', 'Completed 100 %'],
    [['--reset', '--stage'], '1.8.0', 'BIOS-9.9.9 waits to be activated'],
  ])('with %j goes on as far as that lets it, and ends with 0', async (args, version, word) => {
    const wire = await startWire()
    const file = await fileOf(await bundleOf({ BIOS: '9.9.9' }))
    const { exitCode, out, err } = await runCommand(['push', wire.url, file, ...args])
    expect({ exitCode, err }).toEqual({ exitCode: 0, err: '' })
    expect(out).toContain(word)
    expect(await versionOf(wire, 'BIOS')).toBe(version)
  })

  test('of a URI lets the service fetch the image, and keeps the password out of the URI', async () => {
    const wire = await startWire()
    const image = await bundleOf({ 'NIC-1': '22.42.1000', 'NIC-2': '99.9.9' })
    const before = await versionOf(wire, 'NIC-2')
    const credentials: unknown[] = []
    const { port } = await serveHttp(({ headers }, response) => {
      credentials.push(headers.authorization)
      if (headers.authorization === basic('me', 's:cret')) response.end(image)
      else response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="images"' }).end()
    })
    const uri = `http://me:s%3Acret@127.0.0.1:${port}/image.bin`
    const { exitCode, err, out } = await runCommand([
      'push',
      wire.url,
      uri,
      '--target',
      uris.firmware('NIC-1'),
    ])
    expect({ exitCode, err }).toEqual({ exitCode: 0, err: '' })
    expect(credentials.at(-1)).toBe(basic('me', 's:cret'))
    expect(out).not.toContain('cret')
    expect((await wire.get(uris.task('1'))).json['Payload']).toMatchObject({
      JsonBody: expect.stringContaining(`"http://127.0.0.1:${port}/image.bin"`) as string,
    })
    expect(await versionOf(wire, 'NIC-1')).toBe('22.42.1000')
    expect(await versionOf(wire, 'NIC-2')).toBe(before)
  })

  test('of a URI where there is nothing ends with 1, and with the reason', async () => {
    const { url } = await startWire()
    const { uri } = await serveHttp((_request, response) => response.writeHead(404).end())
    const { exitCode, out } = await runCommand(['push', url, uri.href])
    expect(exitCode).toBe(1)
    expect(out).toContain('ResourceMissingAtURI')
  })

  test('of a URI says so where the service fetches nothing', async () => {
    const { url } = await startWire({ updateMethods: 'multipart' })
    const { exitCode, err } = await runCommand(['push', url, 'http://127.0.0.1/image.bin'])
    expect(exitCode).toBe(1)
    expect(err).toContain('SimpleUpdate')
  })

  test('takes any certificate only with --insecure', async () => {
    const { emulator, bmc } = await startWire({ https: true })
    const file = await fileOf(await bundleOf({ 'NIC-1': '22.42.1000' }))
    const url = emulator.httpsUrl ?? ''
    const { exitCode, err } = await runCommand(['push', url, file])
    expect(exitCode).toBe(1)
    expect(err).toMatch(/certificate/i)
    expect(bmc.state.tasks.size).toBe(0)
    expect(await runCommand(['push', url, file, '--insecure'])).toMatchObject({ exitCode: 0 })
  })

  test('logs in with the URL, else the options, else the environment', async () => {
    const { url } = await startWire({ user: 'maker', password: 'p@ss:word' })
    const file = await fileOf(await bundleOf({ 'NIC-1': '22.42.1000' }))
    const push = async (target: string, args: readonly string[] = [], environment = {}) =>
      (await runCommand(['push', target, file, '--force', ...args], { environment })).exitCode
    expect(await push(url.replace('//', '//maker:p%40ss%3Aword@'), ['--user', 'x', '--password', 'x'])).toBe(
      0,
    )
    expect(await push(url, ['--user', 'maker', '--password', 'p@ss:word'], { REDFLASH_USER: 'x' })).toBe(0)
    expect(await push(url, [], { REDFLASH_USER: 'maker', REDFLASH_PASSWORD: 'p@ss:word' })).toBe(0)
    expect(await push(url)).toBe(1)
  })

  test.each([
    ['is no Redfish service', {}, '404'],
    ['has no UpdateService', { '/redfish/v1/': { Id: 'Root' } }, 'UpdateService'],
    [
      'takes no multipart push',
      { '/redfish/v1/': { UpdateService: { '@odata.id': '/other' } }, '/other': { Id: 'UpdateService' } },
      'MultipartHttpPushUri',
    ],
  ])('says so when what it is pointed at %s', async (_name, answers, word) => {
    const url = await otherService(answers)
    const { exitCode, err } = await runCommand(['push', url, await fileOf(Buffer.from('image'))])
    expect(exitCode).toBe(1)
    expect(err).toContain(word)
  })

  test.each(['127.0.0.1', 'localhost'])('says so when nobody listens on %s', async (host) => {
    const { emulator, url } = await startWire()
    await emulator.close()
    const { port } = new URL(url)
    const file = await fileOf(Buffer.from('image'))
    const { exitCode, err } = await runCommand(['push', `http://${host}:${port}`, file])
    expect(exitCode).toBe(1)
    expect(err).toContain('ECONNREFUSED')
  })

  test('says so when there is no such file, and pushes nothing', async () => {
    const { url, bmc } = await startWire()
    const { exitCode, err } = await runCommand(['push', url, join(await temporaryFolder(), 'missing.tar')])
    expect(exitCode).toBe(1)
    expect(err).toContain('missing.tar')
    expect(bmc.state.tasks.size).toBe(0)
  })

  test('says so when its URL is none', async () => {
    const { exitCode, err } = await runCommand(['push', 'nowhere', await fileOf(Buffer.from('image'))])
    expect(exitCode).toBe(1)
    expect(err).toContain('URL')
  })
})

test('demo shows an update from beginning to end', async () => {
  const { exitCode, out, err } = await runCommand(['demo'])
  expect({ exitCode, err }).toEqual({ exitCode: 0, err: '' })
  const [before = '', after = ''] = out.split('After:')
  for (const { name, version } of [
    { name: 'BIOS', version: '1.9.0' },
    { name: 'NIC-1', version: '22.42.1000' },
  ]) {
    const line = new RegExp(`^ +${name} +${version.replaceAll('.', '\\.')} +Enabled$`, 'm')
    expect(after).toMatch(line)
    expect(before).not.toMatch(line)
  }
})
