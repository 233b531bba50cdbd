import { describe, expect, test } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import { quiet, runCommand, serve, startCommand } from '../support/cli.ts'
import { basic } from '../support/emulator.ts'

describe('a service that is ready', () => {
  test('says where it is, who may log in, and what to try', async () => {
    const { lines, stop, exitCode } = await serve()
    const [http = '', https = '', user, curl, ...rest] = lines
    expect(http).toMatch(/http:\/\/127\.0\.0\.1:\d+\/redfish\/v1\/$/)
    expect(https).toMatch(/https:\/\/127\.0\.0\.1:\d+\/redfish\/v1\/$/)
    expect(user).toBe('user admin, machine rackmount')
    const [, url = '', credentials = ''] = /^try: curl (\S+) -u (\S+)$/.exec(curl ?? '') ?? []
    expect(rest).toEqual([])
    const [name = '', password] = credentials.split(':')
    const answer = await fetch(url, { headers: { authorization: basic(name, password) } })
    expect(await answer.json()).toMatchObject({ '@odata.id': uris.updateService })
    stop()
    expect(await exitCode).toBe(0)
    await expect(fetch(url)).rejects.toThrow('fetch failed')
  })

  test('serves only HTTPS, or only HTTP, when told so', async () => {
    const secure = await serve(['--no-http'])
    expect(secure.lines).toHaveLength(3)
    expect(secure.lines[0]).toContain('https://')
    expect(secure.lines[2]).toContain('curl -k https://')
    const plain = await serve(['--no-https'])
    expect(plain.lines).toHaveLength(3)
    expect(plain.lines[0]).toContain('http://')
  })

  test('does not print a password that somebody chose', async () => {
    const { out } = await serve(['--password', 'hunter2hunter2'])
    expect(out()).not.toContain('hunter2')
    expect(out()).toContain('PASSWORD')
  })

  test('is what the program does when no command is named', async () => {
    const command = startCommand(quiet)
    await expect.poll(command.out, { timeout: 10_000 }).toContain('try:')
    command.stop()
    expect(await command.exitCode).toBe(0)
  })

  test('emulates the machine that is named', async () => {
    const { lines } = await serve(['--machine', 'bladed'])
    expect(lines).toContain('user admin, machine bladed')
  })
})

describe('the program', () => {
  test.each([
    [['--help'], ['serve', 'image', 'push', 'demo']],
    [
      ['serve', '--help'],
      ['--https-port', '--no-http', '--config', 'REDFLASH_'],
    ],
    [
      ['image', '--help'],
      ['build', 'inspect'],
    ],
    [
      ['image', 'build', '--help'],
      ['--component', '--size', '--output'],
    ],
    [['image', 'inspect', '--help'], ['<file>']],
    [
      ['push', '--help'],
      ['--target', '--apply-time', '--reset', '--insecure'],
    ],
    [['demo', '--help'], ['demo']],
  ])('explains itself: %j', async (args, words) => {
    const { exitCode, out, err } = await runCommand(args)
    expect(exitCode).toBe(0)
    expect(err).toBe('')
    for (const word of words) expect(out).toContain(word)
  })

  test.each([
    [['serve', '--colour']],
    [['serve', '--port']],
    [['brew']],
    [['image', 'bake']],
    [['push', 'http://127.0.0.1']],
  ])('refuses what it does not know, with help: %j', async (args) => {
    const { exitCode, out, err } = await runCommand(args)
    expect(exitCode).toBe(1)
    expect(out).toBe('')
    expect(err).toContain('error:')
    expect(err).toContain('Usage:')
  })
})
