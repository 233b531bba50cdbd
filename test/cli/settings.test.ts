import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseConfig } from '../../src/config.ts'
import { defaultOf, type SettingName, settings } from '../../src/settings.ts'
import { complaints, configFile, quiet, runCommand, serve } from '../support/cli.ts'
import { temporaryFolder } from '../support/wire.ts'

describe('settings', () => {
  test('of arguments go before the environment, that before the file, that before the default', async () => {
    const file = await configFile({ user: 'from-file', machine: 'bladed', password: 'from-the-file' })
    const fromFile = await serve(['--config', file])
    expect(fromFile.lines).toContain('user from-file, machine bladed')
    const environment = { REDFLASH_USER: 'from-environment', REDFLASH_CONFIG: file }
    const fromEnvironment = await serve([], { environment })
    expect(fromEnvironment.lines).toContain('user from-environment, machine bladed')
    const fromArguments = await serve(['--user', 'from-arguments'], { environment })
    expect(fromArguments.lines).toContain('user from-arguments, machine bladed')
    expect((await serve()).lines).toContain('user admin, machine rackmount')
  })

  const names = Object.keys(settings) as SettingName[]
  const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)

  test.each(names)('%s may stand in the file and in the arguments', async (name) => {
    // A list is right for none: what is wrong was read.
    const file = await configFile({ [name]: [] })
    const [, line = '', ...rest] = await complaints(['--config', file])
    expect(line).toContain(`${file}: ${name}: `)
    expect(line).toContain(`expected ${settings[name].expected}`)
    expect(rest).toEqual([])
    const { out } = await runCommand(['serve', '--help'])
    expect(out).toContain(
      `--${settings[name].default === true ? 'no-' : ''}${kebab(name)}${typeof settings[name].default === 'boolean' ? '' : ' <'}`,
    )
  })

  test.each([
    ['host', ''],
    ['port', 'x'],
    ['httpsPort', '70000'],
    ['http', 'yes'],
    ['https', ''],
    ['user', 'a:b'],
    ['password', ''],
    ['machine', ''],
    ['speed', '-1'],
    ['maxImageSize', '1GB'],
    ['uploadTimeout', '0'],
    ['taskMonitor', 'none'],
    ['logLevel', 'loud'],
  ])('%s may stand in the environment', async (name, wrong) => {
    const variable = `REDFLASH_${kebab(name).replaceAll('-', '_').toUpperCase()}`
    const [, line = '', ...rest] = await complaints([], { environment: { [variable]: wrong } })
    expect(line).toContain(`${variable}: `)
    expect(rest).toEqual([])
  })

  test('may be numbers and switches in the environment', async () => {
    const { lines } = await serve([], {
      environment: { REDFLASH_HTTPS: 'false', REDFLASH_SPEED: '2.5', REDFLASH_UPLOAD_TIMEOUT: '0.5' },
    })
    expect(lines).toHaveLength(3)
  })

  test('that are wrong are all told at once, each by the name it was given by', async () => {
    const file = await configFile({ port: '80', maxImageSize: '2 GB', color: 'red', taskMonitor: 'other' })
    const lines = await complaints(
      ['--config', file, '--port', '65536', '--speed', 'fast', '--user', 'a:b'],
      {
        environment: { REDFLASH_HTTPS_PORT: 'x', REDFLASH_LOG_LEVEL: 'loud', REDFLASH_HTTP: 'yes' },
      },
    )
    expect(lines[0]).toBe('The configuration is wrong:')
    const told = lines.slice(1).map((line) => line.replace(`${file}: `, 'file ').replace(/:.*/, ''))
    expect(told.toSorted()).toEqual(
      [
        'file color',
        'file maxImageSize',
        'file port',
        'file taskMonitor',
        'REDFLASH_HTTPS_PORT',
        'REDFLASH_HTTP',
        'REDFLASH_LOG_LEVEL',
        '--port',
        '--speed',
        '--user',
      ].toSorted(),
    )
  })

  test.each([
    ['--port', '-1', settings.port.expected],
    ['--https-port', 'http', settings.httpsPort.expected],
    ['--speed', '0', settings.speed.expected],
    ['--speed', 'Infinity', settings.speed.expected],
    ['--max-image-size', '0', settings.maxImageSize.expected],
    ['--max-image-size', '1MB', settings.maxImageSize.expected],
    ['--upload-timeout', '0', settings.uploadTimeout.expected],
    ['--task-monitor', 'Response', settings.taskMonitor.expected],
    ['--host', '', settings.host.expected],
    ['--user', '', settings.user.expected],
  ])('%s %j is answered with what would be right', async (flag, value, expected) => {
    expect(await complaints([`${flag}=${value}`])).toEqual([
      'The configuration is wrong:',
      `${flag}: ${JSON.stringify(Number.isFinite(Number(value)) && value !== '' && /port|timeout/.test(flag) ? Number(value) : value)} is wrong, expected ${expected}`,
    ])
  })

  test('do not show a password that is wrong', async () => {
    const lines = await complaints(['--config', await configFile({ password: 12_345 })])
    expect(lines.join()).not.toContain('12345')
    expect(lines).toHaveLength(2)
  })

  test.each([
    ['0.0.0.0', false],
    ['::', false],
    ['example.com', false],
    ['1.127.0.0', false],
    ['127.0.0.2', true],
    ['::1', true],
    ['localhost', true],
  ])('with the default password may listen on %s: %s', (host, isAllowed) => {
    const source = { nameOf: (name: string) => name, isText: true }
    expect(parseConfig([{ ...source, values: { host } }]).ok).toBe(isAllowed)
    expect(parseConfig([{ ...source, values: { host, password: 'another' } }]).ok).toBe(true)
  })

  test('with the default password are refused beyond loopback by their names', async () => {
    const [, line = '', ...rest] = await complaints(['--host', '0.0.0.0'])
    expect(line).toContain('--host')
    expect(rest).toEqual([])
    const [, spelt = ''] = await complaints(['--host', '0.0.0.0', '--password', defaultOf('password')])
    expect(spelt).toContain('--password')
  })

  test.each([
    [
      ['--no-http', '--no-https'],
      ['--http', '--https'],
    ],
    [
      ['--tls-cert', 'cert.pem'],
      ['--tls-cert', 'tlsKey'],
    ],
  ])('that do not go together are told: %j', async (args, culprits) => {
    const [, line = '', ...rest] = await complaints(args)
    for (const name of culprits) expect(line).toContain(name)
    expect(rest).toEqual([])
  })

  test.each([
    ['no JSON', '{'],
    ['no object', '[1]'],
  ])('in a file that is %s are refused with its name', async (_name, content) => {
    const file = await configFile(content)
    expect((await complaints(['--config', file])).join()).toContain(`--config ${file}`)
  })

  test('in a file that is missing are refused with its name', async () => {
    const file = join(await temporaryFolder(), 'missing.json')
    expect((await complaints(['--config', file])).join()).toContain(file)
  })

  test('for a machine that is not there are refused', async () => {
    expect((await complaints(['--machine', 'nowhere', '--log-level', 'silent'])).join()).toContain('nowhere')
  })

  test('for a port that is taken end the program', async () => {
    const first = await serve(['--no-https'])
    const port = /:(\d+)\//.exec(first.lines[0] ?? '')?.[1] ?? ''
    const { exitCode, err } = await runCommand(['serve', ...quiet, '--port', port, '--no-https'])
    expect(exitCode).toBe(1)
    expect(err).toContain('EADDRINUSE')
  })
})
