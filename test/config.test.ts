import { describe, expect, test } from 'vitest'
import { parseConfig, type Source } from '../src/config.ts'
import { defaultOf, type GivenSettings, type SettingName, settings } from '../src/settings.ts'

describe('a configuration', () => {
  test('of nothing is that of the defaults', () => {
    expect(parseConfig([])).toEqual({
      ok: true,
      value: {
        host: '127.0.0.1',
        port: 8000,
        httpsPort: 8443,
        http: true,
        httpMode: 'serve',
        ssdp: false,
        metrics: false,
        https: true,
        tlsCert: '',
        tlsKey: '',
        user: 'admin',
        password: 'redflash',
        machine: 'rackmount',
        profile: '',
        awaitReset: 'machine',
        startUpdate: 'machine',
        devices: '',
        speed: 1,
        console: false,
        consoleRefresh: 60,
        consoleUrl: '',
        mqtt: '1883',
        mqtts: '',
        mqttToken: '',
        deviceCommand: '',
        deviceModule: '',
        bmcs: 1,
        fleet: '',
        seed: 'redflash',
        reach: new Set(['address']),
        firstAddress: '127.1.0.1',
        controlPort: undefined,
        data: '',
        dataSync: 'normal',
        spool: '',
        maxImageBytes: 2_047 * 2 ** 20,
        imageStoreBytes: 8 * 2 ** 30,
        spoolBytes: Infinity,
        updateMethods: new Set(['multipart', 'raw', 'simple']),
        uploadStallMs: 60_000,
        requestTimeoutMs: 60_000,
        maxConnections: undefined,
        taskMonitor: 'response',
        maxTasks: 500,
        taskOverWritePolicy: 'Oldest',
        pageSize: 0,
        eventDestinations: '127.0.0.0/8,::1,localhost',
        imageSources: '0.0.0.0/0,::/0',
        imageFolders: '',
        trust: '',
        unsignedImages: 'machine',
        logLevel: 'info',
      },
    })
  })

  test('cannot be changed afterwards', () => {
    const parsed = parseConfig([])
    expect(parsed.ok && Object.isFrozen(parsed.value)).toBe(true)
  })

  test('takes each setting from the strongest source that has it', () => {
    const parsed = parseConfig([
      file({ port: 1, httpsPort: 1, user: 'file' }),
      environment({ REDFLASH_PORT: '2', REDFLASH_HTTPS_PORT: '2' }),
      commandLine({ port: '3' }),
    ])
    expect(parsed).toMatchObject({ ok: true, value: { port: 3, httpsPort: 2, user: 'file' } })
  })

  test('reports all mistakes of all sources at once, each by the name that its source gives it', () => {
    const parsed = parseConfig([
      file({ port: '1', colour: 'red', http: 'no' }),
      environment({ REDFLASH_SPEED: 'fast', REDFLASH_HTTPS_PORT: '70000' }),
      commandLine({ logLevel: 'loud' }),
    ])
    expect(lines(parsed)).toEqual([
      expect.stringMatching(/^--log-level: "loud" is wrong, expected one of silent, fatal/),
      expect.stringMatching(/^REDFLASH_HTTPS_PORT: 70000 is wrong, expected a port number/),
      expect.stringMatching(/^REDFLASH_SPEED: "fast" is wrong, expected a number above 0, or max/),
      expect.stringMatching(/^redflash\.json: colour: there is no such setting/),
      expect.stringMatching(/^redflash\.json: http: "no" is wrong, expected true or false/),
      expect.stringMatching(/^redflash\.json: port: "1" is wrong, expected a port number/),
    ])
  })

  test('reports a mistake even where a stronger source overrides it', () => {
    expect(lines(parseConfig([file({ port: -1 }), commandLine({ port: '80' })]))).toHaveLength(1)
  })

  test('never repeats a password', () => {
    const [line = ''] = lines(parseConfig([file({ password: ['hunter2'] })]))
    expect(line).toMatch(/^redflash\.json: password: expected a password/)
    expect(line).not.toContain('hunter2')
  })
})

describe('a setting', () => {
  const right: { readonly [N in SettingName]: readonly GivenSettings[N][] } = {
    host: ['::1', 'localhost', '127.1.2.3'],
    port: [0, 1, 65_535],
    httpsPort: [0, 65_535],
    http: [true, false],
    httpMode: ['serve', 'redirect'],
    ssdp: [true, false],
    metrics: [true, false],
    https: [true, false],
    tlsCert: [''],
    tlsKey: [''],
    user: ['root', 'Jürgen'],
    password: ['x', 'with: colon'],
    machine: ['bladed', './my-machine'],
    profile: ['', 'lenovo-xcc3'],
    awaitReset: ['machine', 'job', 'completed', 'pending'],
    startUpdate: ['machine', 'own-task', 'waiting-tasks'],
    devices: ['', 'faults.json', {}, { BIOS: { fail: { at: 'install' } } }],
    speed: [1, 0.001, 'max', '10', '0.5', '.5'],
    console: [true, false],
    consoleRefresh: [0.5, 60],
    consoleUrl: ['', 'http://10.0.0.1:8000', 'https://console.example/'],
    mqtt: ['', '0', '1883', '65535', 'mqtt://broker.example', 'mqtts://10.0.0.1:8883/'],
    mqtts: ['', '0', '8883'],
    mqttToken: ['', 'secret'],
    deviceCommand: ['', './lab.sh'],
    flasher: ['', './mine.ts'],
    bmcs: [1, 500, 100_000],
    fleet: ['', 'fleet.json', { groups: [{ name: 'a', count: 2 }] }],
    seed: ['redflash', 'lab-7'],
    reach: ['address', 'name,port', 'path , address', 'name,name'],
    firstAddress: ['127.1.0.1', '127.255.255.254', '0.0.0.0'],
    controlPort: ['', '0', '8100', 0, 65_535],
    data: ['', '/var/lib/redflash'],
    dataSync: ['off', 'normal', 'full'],
    spool: ['', '/var/spool'],
    spoolSize: ['', '1', '64KiB', '8GiB'],
    maxImageSize: ['1', '10B', '64KiB', '2047MiB', '4GiB'],
    imageStoreSize: ['1', '64KiB', '8GiB'],
    updateMethods: ['', 'raw', 'simple,multipart', 'raw, simple', 'raw,raw'],
    uploadTimeout: [0.1, 60],
    requestTimeout: [0.1, 60],
    maxConnections: ['', '1', 1, 100_000],
    taskMonitor: ['response', 'task', 'empty'],
    maxTasks: [1, 10_000],
    taskOverWritePolicy: ['Oldest', 'Manual'],
    pageSize: [0, 1, 1_000],
    eventDestinations: ['', '10.0.0.0/8', 'fd00::/8, receiver.example,192.0.2.1'],
    imageSources: ['', '10.0.0.0/8', '0.0.0.0/0,169.254.3.0/24', 'fd00::/8, images.example'],
    imageFolders: ['', 'nfs://server/export=/srv/images', 'cifs://server/a=/a, smb://server/b=/b'],
    trust: ['', '/etc/redflash/trust'],
    unsignedImages: ['machine', 'refuse', 'warn', 'accept'],
    logLevel: ['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'],
  }
  const wrong: { readonly [N in SettingName]: readonly unknown[] } = {
    host: ['', 1, null],
    port: [-1, 65_536, 1.5, '80', null],
    httpsPort: [-1, 65_536, '443'],
    http: ['true', 1, null],
    https: ['false', 0],
    httpMode: ['off', true, null],
    ssdp: ['true', 1],
    metrics: ['true', 1],
    tlsCert: [1, null],
    tlsKey: [1, null],
    user: ['', 'a:b', 1],
    password: ['', 1],
    machine: ['', 1],
    profile: [1, null],
    awaitReset: ['Job', '', null],
    startUpdate: ['task', '', null],
    devices: [1, null, []],
    speed: [0, -1, 'fast', '0', '0.0', '-1', '', '1x', null, true],
    console: ['true', 1],
    consoleRefresh: [0, -1, '60'],
    consoleUrl: ['console.example', 'ftp://console.example', 'http://console.example/path', 1],
    mqtt: ['65536', 'broker.example', 'http://broker.example', 'mqtt://', 1883],
    mqtts: ['65536', 'mqtts://broker.example', 8883],
    mqttToken: [1, null],
    deviceCommand: [1, null],
    flasher: [1, null],
    bmcs: [0, -1, 1.5, 100_001, '2', null],
    fleet: [1, null, []],
    seed: ['', 1, null],
    reach: ['', 'Address', 'address,', 'address name', 'slot', null],
    firstAddress: ['', 'localhost', '127.1.0', '127.1.0.256', '01.1.1.1', '::1', 1, null],
    controlPort: [-1, 65_536, 1.5, '65536', '-1', 'any', null],
    data: [1, null],
    dataSync: ['', 'on', 1, null],
    spool: [1, null],
    maxImageSize: ['', '0', '-1', '1.5MiB', '10MB', '10 MiB', 'MiB', 10],
    imageStoreSize: ['', '0', '10MB', 10, null],
    spoolSize: ['0', '10MB', 'all', 10, null],
    updateMethods: ['push', 'Raw', ',', 'raw,', ' raw', 'raw simple', ['raw'], null],
    uploadTimeout: [0, -1, '60'],
    requestTimeout: [0, -1, '60'],
    maxConnections: [0, 1.5, '0', '1.5', 'all', null],
    taskMonitor: ['Response', '', null],
    maxTasks: [0, 1.5, '10', null],
    taskOverWritePolicy: ['oldest', '', null],
    pageSize: [-1, 1.5, '10', null],
    eventDestinations: [1, null, '10.0.0.0/33', 'http://receiver', '1.2.3', '-receiver'],
    imageSources: [1, null, '10.0.0.0/33', 'http://images', '1.2.3', '-images'],
    imageFolders: [1, null, '/srv/images', 'nfs://server/export', 'http://server/a=/a', 'nfs://server=/a'],
    trust: [1, null],
    unsignedImages: ['Refuse', '', true, null],
    logLevel: ['verbose', 1],
  }
  /** What some are about. */
  const beside: Partial<Record<SettingName, GivenSettings>> = {
    controlPort: { bmcs: 2 },
    reach: { bmcs: 2 },
    seed: { bmcs: 2 },
    firstAddress: { bmcs: 2, password: 'another one' },
  }
  const names = Object.keys(settings) as SettingName[]

  test.each(names.flatMap((name) => right[name].map((value) => [name, value] as const)))(
    '%s may be %j',
    (name, value) => {
      expect(lines(parseConfig([file({ ...beside[name], [name]: value })]))).toEqual([])
    },
  )

  test.each(names.flatMap((name) => wrong[name].map((value) => [name, value] as const)))(
    '%s may not be %j',
    (name, value) => {
      expect(lines(parseConfig([file({ [name]: value })]))).toEqual([
        expect.stringContaining(`redflash.json: ${name}: `),
      ])
    },
  )

  test.each(names)('%s has a default that is right, and a help', (name) => {
    const { default: value, help, expected } = settings[name]
    expect(lines(parseConfig([file({ [name]: value })]))).toEqual([])
    expect(defaultOf(name)).toBe(String(value))
    expect(help.length * expected.length).toBeGreaterThan(0)
  })

  test.each([
    ['port', '8080', { port: 8080 }],
    ['http', 'false', { http: false }],
    ['https', 'true', { https: true }],
    ['uploadTimeout', '1.5', { uploadStallMs: 1_500 }],
    ['requestTimeout', '0.5', { requestTimeoutMs: 500 }],
    ['user', '123', { user: '123' }],
    ['password', 'true', { password: 'true' }],
    ['speed', '2.5', { speed: 2.5 }],
    ['speed', 'max', { speed: 'max' }],
    ['bmcs', '500', { bmcs: 500 }],
    ['reach', 'path, name', { reach: new Set(['name', 'path']) }],
    ['controlPort', '8100', { controlPort: 8_100 }],
    ['maxConnections', '10', { maxConnections: 10 }],
    ['maxImageSize', '1KiB', { maxImageBytes: 1_024 }],
    ['imageStoreSize', '1KiB', { imageStoreBytes: 1_024 }],
    ['spoolSize', '2KiB', { spoolBytes: 2_048 }],
    ['updateMethods', 'simple , raw', { updateMethods: new Set(['raw', 'simple']) }],
    ['updateMethods', '', { updateMethods: new Set() }],
  ])('%s is read from the text %j', (name, value, config) => {
    const given = [file({ bmcs: 2 }), commandLine({ [name]: value })]
    expect(parseConfig(given)).toMatchObject({ ok: true, value: config })
  })

  test.each([
    ['port', ''],
    ['port', ' '],
    ['port', '0x'],
    ['port', 'Infinity'],
    ['port', '1.5'],
    ['http', 'yes'],
    ['http', ''],
    ['uploadTimeout', 'soon'],
  ])('%s is not read from the text %j', (name, value) => {
    expect(lines(parseConfig([commandLine({ [name]: value })]))).toHaveLength(1)
  })
})

describe('settings that do not go together:', () => {
  test.each<[string, GivenSettings, RegExp]>([
    [
      'nothing served',
      { http: false, https: false },
      /redflash\.json: http, redflash\.json: https: at least one/,
    ],
    ['TLS for a broker of others', { mqtts: '8883', mqtt: 'mqtt://b' }, /mqtts, .*mqtt: a broker/],
    ['a certificate without its key', { tlsCert: 'a.pem' }, /tlsCert, tlsKey: give both/],
    [
      'HTTPS off, and HTTP that redirects to it',
      { https: false, httpMode: 'redirect' },
      /httpMode, .*https: redirect/,
    ],
    [
      'a folder for everything and one for images',
      { data: 'data', spool: 'spool' },
      /data, .*spool: give one of them/,
    ],
    ['a key without its certificate', { tlsKey: 'a.key' }, /tlsKey: give both/],
    ['so many BMCs and a fleet', { bmcs: 2, fleet: 'fleet.json' }, /bmcs, .*fleet: give one/],
    ['control of no fleet', { controlPort: 8_100 }, /controlPort: only a fleet/],
    ['ways to reach no fleet', { reach: 'name' }, /reach: only a fleet/],
    ['an address of no fleet', { firstAddress: '127.2.0.1' }, /firstAddress: only the BMCs of a fleet/],
    ['a seed of no fleet', { seed: 'lab-7' }, /seed: only a fleet/],
    ['a fleet and a console', { bmcs: 2, console: true }, /console: a console is one service/],
    ['a fleet and searches', { bmcs: 2, ssdp: true }, /ssdp: a fleet is not searched for/],
    [
      'a fleet and HTTP that redirects',
      { bmcs: 2, httpMode: 'redirect' },
      /httpMode: a fleet does not redirect/,
    ],
    [
      'the default password at addresses for everybody',
      { bmcs: 2, firstAddress: '192.0.2.1' },
      /firstAddress: beyond loopback a .*password/,
    ],
    ['the default password for everybody', { host: '0.0.0.0' }, /host: beyond loopback a password/],
    ['the default password for everybody by IPv6', { host: '::' }, /beyond loopback/],
    ['the default password for a name', { host: 'bmc.example' }, /beyond loopback/],
    [
      'the default password for an address that only looks like loopback',
      { host: '127.0.0.1.example' },
      /beyond loopback/,
    ],
  ])('%s', (_what, given, problem) => {
    expect(lines(parseConfig([file(given)]))).toEqual([expect.stringMatching(problem)])
  })

  test.each<[string, GivenSettings]>([
    ['HTTPS alone', { http: false }],
    ['HTTP alone', { https: false }],
    ['a certificate with its key', { tlsCert: 'a.pem', tlsKey: 'a.key' }],
    ['a password of their own for everybody', { host: '0.0.0.0', password: 'correct horse' }],
    [
      'a password of their own at addresses for everybody',
      { bmcs: 2, firstAddress: '192.0.2.1', password: 'correct horse' },
    ],
    ['addresses for everybody that nobody has', { bmcs: 2, reach: 'name', firstAddress: '192.0.2.1' }],
    ['the default password for this machine', { host: '127.0.0.2' }],
  ])('but %s does', (_what, given) => {
    expect(lines(parseConfig([file(given)]))).toEqual([])
  })

  test('are all told, whichever sources they come from', () => {
    const parsed = parseConfig([
      file({ http: false }),
      environment({ REDFLASH_HTTPS: 'false' }),
      commandLine({ host: '::' }),
    ])
    expect(lines(parsed)).toEqual([
      expect.stringMatching(/^--host: beyond loopback a password/),
      expect.stringMatching(/^redflash\.json: http, REDFLASH_HTTPS: at least one/),
    ])
  })
})

function file(values: Readonly<Record<string, unknown>>): Source {
  return { nameOf: (name) => `redflash.json: ${name}`, isText: false, values }
}

/** Named as variables are; the values are by setting. */
function environment(variables: Readonly<Record<string, string>>): Source {
  const names = new Map<string, string>(
    Object.keys(settings).map((name) => [`REDFLASH_${snake(name)}`, name] as const),
  )
  const values = Object.entries(variables).map(([name, value]) => [names.get(name) ?? name, value] as const)
  return { nameOf: (name) => `REDFLASH_${snake(name)}`, isText: true, values: Object.fromEntries(values) }
}

function commandLine(values: Readonly<Record<string, unknown>>): Source {
  return { nameOf: (name) => `--${snake(name).toLowerCase().replaceAll('_', '-')}`, isText: true, values }
}

function snake(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()
}

/** What a configuration is refused for, sorted. */
function lines(parsed: ReturnType<typeof parseConfig>): string[] {
  return parsed.ok ? [] : parsed.problem.toSorted()
}
