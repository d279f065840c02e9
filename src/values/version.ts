/** The version, which must be the same as in `package.json`: the core reads no files. */
export const version = "0.1.0"
