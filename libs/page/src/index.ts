export { type PageFile, type PageFiles, pageFiles } from "./page-files.ts";
