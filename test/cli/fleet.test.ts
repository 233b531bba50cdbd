import { describe, expect, test } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import { configFile, quiet, runCommand, serve } from '../support/cli.ts'

interface Listed {
  readonly total: number
  readonly bmcs: readonly { readonly id: string; readonly urls: readonly string[] }[]
}

describe('a fleet that is ready', () => {
  test('says how many BMCs there are, where the first and the last one are, and where they are listed', async () => {
    const { lines } = await serve(['--bmcs', '500', '--control-port', '0'])
    const [http = '', https = '', count = '', listed = ''] = lines
    expect(http).toMatch(/http:\/\/127\.1\.0\.1:\d+\/redfish\/v1\/$/)
    expect(https).toMatch(/https:\/\/127\.1\.0\.1:\d+\/redfish\/v1\/$/)
    const [, last = ''] = /^500 BMCs, the last one \(bmc-0500\) at (\S+)\/redfish\/v1\/$/.exec(count) ?? []
    expect(last).toMatch(/^http:\/\/127\.1\.1\.244:\d+$/)
    const [root, list] = await Promise.all(
      [`${last}${uris.root}/`, `${listed.split(' ').at(-1)}?skip=499`].map(async (url) =>
        (await fetch(url)).json(),
      ),
    )
    expect(root).toMatchObject({ '@odata.id': `${uris.root}/` })
    const { total, bmcs } = list as Listed
    expect([total, bmcs.map(({ id, urls }) => [id, urls[0]])]).toEqual([500, [['bmc-0500', last]]])
  })

  test('is what a file says, which the configuration names', async () => {
    const fleet = await configFile({
      groups: [
        { name: 'db', count: 2 },
        { name: 'web', count: 1 },
      ],
    })
    const config = await configFile({ fleet, reach: 'path' })
    const { lines } = await serve(['--config', config])
    expect(lines[0]).toMatch(/http:\/\/127\.0\.0\.1:\d+\/bmc\/db-0001\/redfish\/v1\/$/)
    expect(lines[2]).toMatch(/^3 BMCs, the last one \(web-0001\) at .*\/bmc\/web-0001\/redfish\/v1\/$/)
    expect(lines[3]).toMatch(/^try: curl http:.*\/bmc\/db-0001\/redfish\/v1\/$/)
    expect(lines).toHaveLength(4)
  })

  test('of names says where they are served, and how to ask for one', async () => {
    const { lines } = await serve(['--bmcs', '2', '--reach', 'name', '--no-https'])
    expect(lines.join('\n')).toMatch(/names are served at 127\.0\.0\.1/)
    const [, named, port] =
      /^try: curl --resolve bmc-0001:(\d+):127\.0\.0\.1 http:\/\/bmc-0001:(\d+)\/redfish\/v1\/UpdateService /.exec(
        lines.at(-1) ?? '',
      ) ?? []
    expect([named, named]).toEqual([expect.stringMatching(/^[1-9]/), port])
  })

  test('that has nobody yet says how somebody comes', async () => {
    const config = await configFile({ fleet: { groups: [{ name: 'web', count: 0 }] } })
    const { lines } = await serve(['--config', config, '--control-port', '0'])
    expect(lines.join('\n')).not.toContain('undefined')
    expect(lines[0]).toMatch(/listens at 127\.0\.0\.1; there is no BMC yet/)
    const url = lines.at(-1)?.split(' ').at(-1) ?? ''
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(url, { method: 'POST', headers, body: '{"group": "web"}' })
    expect(answer.status).toBe(201)
  })
})

describe('a fleet does not start', () => {
  test.each<[string, unknown, RegExp]>([
    [
      'with mistakes',
      { fleet: { groups: [{ name: 'A', count: 'x' }] } },
      /\/groups\/0\/name[^]*\/groups\/0\/count/,
    ],
    ['from a file that there is not', { fleet: 'no-such.json' }, /no-such\.json/],
    ['with more BMCs than there are ports', { bmcs: 2_001, reach: 'port' }, /room for 2000/],
    ['beyond the last address', { bmcs: 2, firstAddress: '127.255.255.254' }, /room for 1 /],
  ])('%s', async (_what, config, told) => {
    const { exitCode, err } = await runCommand(['serve', ...quiet, '--config', await configFile(config)])
    expect(exitCode).toBe(1)
    expect(err).toMatch(told)
  })
})
