import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { capabilitiesPage } from '../scripts/capabilities-page.ts'
import { flowsPage } from '../scripts/flows-page.ts'
import { machineNames } from '../src/bmc/mockup-folder.ts'
import { createProgram } from '../src/cli/program.ts'
import { settings } from '../src/settings.ts'
import { isObject } from '../src/redfish/resource.ts'
import { uris } from '../src/redfish/uris.ts'
import { startEmulator } from './support/emulator.ts'
import { flows } from './support/flows/table.ts'
import { pushVersions } from './support/versions.ts'
import { walk } from './support/walk.ts'
import { rootOf } from './support/xml.ts'

const root = resolve(import.meta.dirname, '..')
const pages = ['README.md', ...listPages('docs')]

describe('$metadata', () => {
  test.each(machineNames)(
    'of %s is XML that refers to every type in use, and holds the entity container first',
    async (machine) => {
      const emulator = await startEmulator({ machine })
      const [first = ''] = emulator.bmc.machine.components.keys()
      await pushVersions(emulator, { [first]: '99.0.0' })
      await emulator.clock.advance(300_000)
      const { visited } = await walk(emulator)
      const types = new Set([...visited.values()].flatMap(({ body }) => typesIn(body)))
      expect(types.size).toBeGreaterThan(30)
      // Typed objects inside of resources count as well.
      expect([...types]).toContainEqual(expect.stringMatching(/^#Message\./))
      expect([...types]).toContainEqual(expect.stringMatching(/^#RedflashSoftwareInventory\./))

      const edmx = rootOf((await emulator.send(uris.metadata)).text)
      expect(edmx.name).toBe('edmx:Edmx')
      const references = edmx.children.filter(({ name }) => name === 'edmx:Reference')
      const included = new Map(
        references.flatMap(({ attributes, children }) =>
          children.map(
            (include) => [include.attributes['Namespace'] ?? '', attributes['Uri'] ?? ''] as const,
          ),
        ),
      )
      const namespaces = [...types].flatMap((type) => {
        const full = type.slice(1, type.lastIndexOf('.'))
        return [full, full.split('.')[0] ?? '']
      })
      expect(namespaces.filter((name) => !included.has(name))).toEqual([])
      const misplaced = [...included].filter(([name, uri]) => !uri.endsWith(`/${name.split('.')[0]}_v1.xml`))
      expect(misplaced).toEqual([])
      expect(included.has('RedfishExtensions.v1_0_0')).toBe(true)

      const services = edmx.children.find(({ name }) => name === 'edmx:DataServices')
      const container = services?.children[0]?.children[0]
      expect(services?.children[0]?.name).toBe('Schema')
      expect(container).toMatchObject({ name: 'EntityContainer', attributes: { Name: 'Service' } })
      const extended = String(container?.attributes['Extends']).replace(/\.ServiceContainer$/, '')
      expect(included.has(extended)).toBe(true)
    },
  )

  test('is read by an XML parser that is not ours, where there is one', async ({ skip }) => {
    const parser = (text: string) =>
      spawnSync('python3', ['-c', 'import sys, xml.dom.minidom as m; m.parse(sys.stdin.buffer)'], {
        input: text,
      })
    skip(parser('<a/>').status !== 0, 'no Python here')
    const { send } = await startEmulator()
    expect(parser('<a><b></a>').status).not.toBe(0)
    expect(parser((await send(uris.metadata)).text).status).toBe(0)
  })

  test.each([
    ['a tag that is not closed', '<a><b></a>'],
    ['a tag that was not opened', '<a></a></b>'],
    ['two roots', '<a/><b/>'],
    ['no root', '<?xml version="1.0"?>'],
    ['an attribute without quotes', '<a b=c/>'],
    ['the same attribute twice', '<a b="1" b="2"/>'],
    ['a bare ampersand', '<a b="x & y"/>'],
    ['text beside the root', '<a/>text'],
  ])('would not be taken for XML with %s', (_what, text) => {
    expect(() => rootOf(text)).toThrow(/not XML/)
  })
})

describe('docs/capabilities.md', () => {
  test('is what the code makes of it', () => {
    expect(readFileSync(join(root, 'docs/capabilities.md'), 'utf8')).toBe(capabilitiesPage())
  })

  test('names every resource, path and setting there is', async () => {
    const { app } = await startEmulator()
    const page = capabilitiesPage()
    const paths = [...app.rows, ...app.endpoints].map(({ path }) => `\`${path}\``)
    const names = Object.keys(settings).map((name) => `| \`${name}\` |`)
    expect([...paths, ...names].filter((one) => !page.includes(one))).toEqual([])
    expect(page).toContain(
      '| `/redfish/v1/UpdateService/update-multipart` | POST | POST: ConfigureComponents |',
    )
    expect(page).toMatch(/`\/redfish\/v1\/Systems\/:id`.* ComputerSystem\.Reset .*POST: ConfigureComponents/)
    expect(page).toMatch(
      /`--max-image-size <size>` \| `REDFLASH_MAX_IMAGE_SIZE` \| `maxImageSize` \| `2047MiB`/,
    )
  })

  test('is checked by npm run generate -- --check, together with the schemas', () => {
    const { status, stderr } = spawnSync(process.execPath, ['scripts/run-generators.ts', '--check'], {
      cwd: root,
      // Where the publications are absent, only the page can be checked.
      env: { ...process.env, DMTF_DIR: join(root, 'nowhere') },
      encoding: 'utf8',
    })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(scripts()['generate']).toBe('node scripts/run-generators.ts')
  })
})

describe('docs/flows.md', () => {
  const page = flowsPage()

  test('is what the table of flows makes of it', () => {
    expect(readFileSync(join(root, 'docs/flows.md'), 'utf8')).toBe(page)
  })

  test('draws each flow of the table, with everything that is told in it', () => {
    const diagrams = page.match(/^```mermaid\n[\s\S]*?^```$/gm) ?? []
    const drawn = diagrams.map((diagram) =>
      [...diagram.matchAll(/Note over \w+: (?!the )(.*)/g)].map(([, note = '']) =>
        note.replaceAll('<br/>', ' '),
      ),
    )
    const told = flows.map(({ acts }) =>
      acts.flatMap(([, seen]) => Object.values(seen).flatMap((states) => states.split(' → '))),
    )
    const notes = told.map((states) =>
      states.filter((state) => state !== 'New').map((state) => state.replace(/^told: |:/, '')),
    )
    expect(drawn.map(String).toSorted()).toEqual(notes.map(String).toSorted())
  })
})

describe('README.md and docs/', () => {
  test('are there', () => {
    const wanted = ['README.md', 'docs/architecture.md', 'docs/common-errors.md', 'docs/capabilities.md']
    expect(wanted.filter((page) => !existsSync(join(root, page)))).toEqual([])
    expect(listPages('docs/decisions').length).toBeGreaterThan(0)
  })

  test('name only npm scripts that exist', () => {
    const named = mentions(/\bnpm (?:run (?:-s |--silent )?([\w:-]+)|(start|test)\b)/g)
    expect(named.size).toBeGreaterThan(3)
    expect([...named].filter(([name]) => !(name in scripts())).map(describeMention)).toEqual([])
  })

  test('link only to what is there', () => {
    const broken = pages.flatMap((page) => {
      const text = withoutCode(readPage(page))
      const anchors = new Set([...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => slug(heading)))
      return [...text.matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, target = '']) => {
        if (/^[a-z]+:/.test(target)) return []
        const [path = '', anchor] = target.split('#')
        if (path === '') return anchors.has(anchor ?? '') ? [] : [`${page}: ${target}`]
        return existsSync(resolve(root, page, '..', path)) ? [] : [`${page}: ${target}`]
      })
    })
    expect(broken).toEqual([])
  })

  test('name only options that some command of redflash has', async () => {
    const known = await optionsOf([
      [],
      ['serve'],
      ['image', 'build'],
      ['image', 'inspect'],
      ['push'],
      ['demo'],
      ['amt-device'],
      ['iot-device'],
    ])
    expect(known.size).toBeGreaterThan(Object.keys(settings).length)
    // Of npm, of docker and of curl, and those that our own scripts read.
    const others = new Set([
      '--cacert',
      '--digest',
      '--check',
      '--save-dev',
      '--rm',
      '--tools',
      '--csdl',
      '--python',
      '--hurry',
      '--details',
      '--minutes',
      '--seed',
    ])
    const named = mentions(/(?<![\w-])(--[a-z][a-z-]+)/g)
    expect(named.size).toBeGreaterThan(5)
    expect([...named].filter(([name]) => !known.has(name) && !others.has(name)).map(describeMention)).toEqual(
      [],
    )
  })

  test('name only environment variables that are read', () => {
    const named = mentions(/\b(REDFLASH_[A-Z_]+)/g)
    const known = new Set([
      'REDFLASH_CONFIG',
      'REDFLASH_IOT_TOKEN',
      ...Object.keys(settings).map((name) => `REDFLASH_${snake(name)}`),
    ])
    expect(named.size).toBeGreaterThan(0)
    expect([...named].filter(([name]) => !known.has(name)).map(describeMention)).toEqual([])
  })

  test('name only source files that exist', () => {
    const folders = readdirSync(join(root, 'src'))
    const named = mentions(
      /`((?:src|test|scripts|bench|docs|schemas|mockups|[a-z]+)\/[\w./<>-]*\.(?:ts|md|json))`/g,
    )
    const inSource = (path: string): boolean => folders.includes(path.split('/')[0] ?? '')
    const missing = [...named].filter(([path]) => {
      if (path.includes('<')) return false
      return !existsSync(join(root, path)) && !(inSource(path) && existsSync(join(root, 'src', path)))
    })
    expect(missing.map(describeMention)).toEqual([])
  })
})

/** Every `@odata.type` in a body, whatever it is nested in. */
function typesIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap((item: unknown) => typesIn(item))
  if (!isObject(value)) return []
  const own = value['@odata.type']
  const inner = Object.values(value).flatMap((member) => typesIn(member))
  return typeof own === 'string' ? [own, ...inner] : inner
}

/** What the pages mention, with the pages that do. */
function mentions(pattern: RegExp): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const page of pages) {
    for (const [, ...groups] of readPage(page).matchAll(pattern)) {
      const name = groups.find((group) => group !== undefined) ?? ''
      found.set(name, [...new Set([...(found.get(name) ?? []), page])])
    }
  }
  return found
}

function describeMention([name, where]: readonly [string, readonly string[]]): string {
  return `${name} in ${where.join(', ')}`
}

/** The options that the help of these commands lists. */
async function optionsOf(commands: readonly (readonly string[])[]): Promise<Set<string>> {
  let help = ''
  const out = { write: (text: string) => (help += text) } as unknown as NodeJS.WriteStream // all that help needs
  const program = createProgram({
    in: Readable.from([]),
    out,
    err: out,
    environment: {},
    stopped: () => Promise.resolve(),
  })
  for (const command of commands) await program(['node', 'redflash', ...command, '--help'])
  return new Set([...help.matchAll(/^\s+(?:-\w, )?(--[a-z-]+)/gm)].map(([, name = '']) => name))
}

function scripts(): Record<string, string> {
  const { scripts: all } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    readonly scripts: Record<string, string>
  }
  return all
}

function listPages(folder: string): string[] {
  if (!existsSync(join(root, folder))) return []
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `${folder}/${name}`)
}

function readPage(page: string): string {
  return existsSync(join(root, page)) ? readFileSync(join(root, page), 'utf8') : ''
}

function withoutCode(text: string): string {
  return text.replaceAll(/^```[\s\S]*?^```/gm, '').replaceAll(/`[^`\n]*`/g, '')
}

/** A heading's anchor, as GitHub makes it. */
function slug(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\w\s-]/g, '')
    .replaceAll(' ', '-')
}

function snake(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()
}
