import { createHash } from 'node:crypto'
import { type Extract, extract } from 'tar-stream'
import { type Static, Type } from '../../lib/schema.ts'
import { fail, type Result, succeed } from '../../lib/result.ts'
import { judge } from '../../redfish/validation.ts'
import type {
  ImageComponent,
  ImageContents,
  ImageFormat,
  ImageProblem,
  ImageReader,
} from '../image-format.ts'

export const MANIFEST_NAME = 'manifest.json'
const MANIFEST_MAX_BYTES = 2 ** 20
/** tar-stream tells where an entry's header lies; its bytes follow. */
const TAR_HEADER_BYTES = 512
const closed = { additionalProperties: false }

const ManifestComponent = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 200 }),
    softwareId: Type.String({ minLength: 1, maxLength: 200 }),
    version: Type.String({ minLength: 1, maxLength: 100 }),
    releaseDate: Type.Optional(Type.String({ format: 'date-time' })),
    requires: Type.Optional(
      Type.Array(Type.Object({ component: Type.String(), min: Type.String() }, closed)),
    ),
    file: Type.String({ minLength: 1 }),
    sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
    size: Type.Integer({ minimum: 0 }),
  },
  closed,
)

const Manifest = Type.Object(
  {
    bundle: Type.Literal(1),
    components: Type.Array(ManifestComponent, { minItems: 1, maxItems: 256 }),
  },
  closed,
)

/** What an update bundle's first entry, `manifest.json`, says. */
export type Manifest = Static<typeof Manifest>
const judgeManifest = judge(Manifest)

type Entry = Extract extends AsyncIterable<infer E> ? E : never

interface ReadFile {
  readonly start: number
  readonly sizeBytes: number
  readonly sha256: string
}

/** redflash's own format: a tar (POSIX ustar) whose first entry lists the components in the others. */
export const bundle: ImageFormat = {
  name: 'VendorDefined',
  recognises: (head) => {
    const text = Buffer.from(head.buffer, head.byteOffset, head.byteLength).toString('latin1')
    return text.startsWith(`${MANIFEST_NAME}\0`) && text.slice(257, 262) === 'ustar'
  },
  open: openBundle,
}

function openBundle(): ImageReader {
  const tar = extract()
  let isOver = false
  let wake = (): void => {}
  // A tar that breaks tells here why; the bytes that follow have nothing more to say.
  const read = readEntries(tar).finally(() => {
    isOver = true
    wake()
  })
  tar.on('drain', () => wake())
  return {
    write: async (chunk) => {
      if (isOver || tar.write(chunk)) return
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    },
    end: () => {
      tar.end(null)
      return read
    },
    abandon: () => tar.destroy(),
  }
}

async function readEntries(tar: Extract): Promise<Result<ImageContents, ImageProblem>> {
  let manifest: Manifest | undefined
  const files = new Map<string, ReadFile>()
  try {
    for await (const entry of tar) {
      const { name, type } = entry.header
      if (type !== 'file') return unreadable(`${name} is not a plain file`)
      if (manifest === undefined) {
        const parsed = await readManifest(entry)
        if (!parsed.ok) return parsed
        manifest = parsed.value
      } else if (files.has(name)) {
        return unreadable(`${name} is there twice`)
      } else {
        files.set(name, await readFile(entry))
      }
    }
  } catch (error) {
    return unreadable(error instanceof Error ? error.message : 'not a tar')
  } finally {
    tar.destroy()
  }
  return manifest === undefined ? unreadable('it has no manifest') : compare(manifest, files)
}

async function readManifest(entry: Entry): Promise<Result<Manifest, ImageProblem>> {
  if (entry.header.name !== MANIFEST_NAME) return unreadable(`its first entry is not ${MANIFEST_NAME}`)
  if ((entry.header.size ?? 0) > MANIFEST_MAX_BYTES) return unreadable('its manifest is too large')
  const chunks: Uint8Array[] = []
  for await (const chunk of entry) chunks.push(chunk as Uint8Array)
  let data: unknown
  try {
    data = JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch {
    return unreadable('its manifest is not JSON')
  }
  const judged = judgeManifest(data)
  if (judged.ok) return judged
  return unreadable(judged.problem.map((one) => `manifest${one.pointer}: ${one.kind}`).join(', '))
}

async function readFile(entry: Entry): Promise<ReadFile> {
  const hash = createHash('sha256')
  let sizeBytes = 0
  for await (const chunk of entry) {
    hash.update(chunk as Uint8Array)
    sizeBytes += (chunk as Uint8Array).byteLength
  }
  return { start: entry.offset + TAR_HEADER_BYTES, sizeBytes, sha256: hash.digest('hex') }
}

/** Holds the manifest against what was really in the tar. */
function compare(
  { components }: Manifest,
  files: ReadonlyMap<string, ReadFile>,
): Result<ImageContents, ImageProblem> {
  const listed = new Set(components.map((component) => component.file))
  const stray = [...files.keys()].find((name) => !listed.has(name))
  if (stray !== undefined) return unreadable(`${stray} is not in its manifest`)
  if (new Set(components.map((component) => component.softwareId)).size < components.length) {
    return unreadable('two of its components have the same softwareId')
  }
  const found: ImageComponent[] = []
  for (const { file, size, sha256, name, softwareId, version, releaseDate, requires = [] } of components) {
    const read = files.get(file)
    if (read === undefined) return unreadable(`${file} is missing`)
    if (read.sizeBytes !== size) return unreadable(`${file} has ${read.sizeBytes} bytes, not ${size}`)
    if (read.sha256 !== sha256) return fail({ kind: 'digest-mismatch', component: name })
    found.push({
      name,
      softwareId,
      version,
      releaseDate,
      requires,
      sha256,
      start: read.start,
      sizeBytes: size,
    })
  }
  return succeed({ format: 'VendorDefined', components: found })
}

function unreadable(detail: string): { readonly ok: false; readonly problem: ImageProblem } {
  return fail({ kind: 'unreadable', detail })
}
