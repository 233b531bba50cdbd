import { type FileHandle, rm } from 'node:fs/promises'
import type { FirmwareImage } from '../flasher.ts'

/** A folder of our own, where nobody else can look. */
export interface ImageFolder {
  /** A new file there, to be written. */
  open(): Promise<{ readonly path: string; readonly handle: FileHandle }>
  remove(): Promise<void>
}

/** An image as a file. */
export interface ImageFile {
  readonly path: string
  readonly remove: () => Promise<void>
}

/** Writes an image to a file, as it comes. */
export async function writeImage(
  folder: ImageFolder,
  image: FirmwareImage,
  signal: AbortSignal,
): Promise<ImageFile> {
  const { path, handle } = await folder.open()
  const remove = (): Promise<void> => rm(path, { force: true })
  try {
    for await (const chunk of image.read()) {
      signal.throwIfAborted()
      await handle.writeFile(chunk)
    }
    return { path, remove }
  } catch (error) {
    await remove()
    throw error
  } finally {
    await handle.close()
  }
}
