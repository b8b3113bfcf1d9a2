import { openApiDocument } from "@drover/openai";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Json, RouterScene } from "./testing/router-scene.ts";

let scene = new RouterScene();

beforeEach(async () => {
  await scene.startCluster();
  await scene.startRouter({ keys: ["secret"] });
});

afterEach(async () => {
  await scene.stop();
  scene = new RouterScene();
});

describe("the document of the interface", () => {
  it("is served to everybody, as libs/openai says it", async () => {
    const reply = await fetch(`${scene.url}/openapi.json`);
    expect(await reply.json()).toEqual(JSON.parse(JSON.stringify(openApiDocument())));
  });

  it("names routes that are there, and tells which need a key", async () => {
    const routes = Object.entries(openApiDocument().paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { security }]) => ({ method, path, isOpen: security.length === 0 })),
    );
    expect(routes.length).toBeGreaterThan(10);
    for (const { method, path, isOpen } of routes) {
      const init = { method: method.toUpperCase(), ...(method === "post" && { body: "{}" }) };
      const { status } = await fetch(scene.url + path.replace("{model}", "tiny"), init);
      expect([path, status === 401]).toEqual([path, !isOpen]);
    }
  });

  it("refers to no schema that it does not have", () => {
    const text = JSON.stringify(openApiDocument());
    const { schemas }: Json = openApiDocument().components;
    const names = [...text.matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name);
    expect(names.length).toBeGreaterThan(20);
    for (const name of names) expect(schemas).toHaveProperty(String(name));
  });
});
