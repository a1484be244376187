"use strict";
(() => {
  document.body.classList.add("live");
  const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

  for (const pair of document.querySelectorAll(".pair")) {
    const view = pair.querySelector(".view"), stage = pair.querySelector(".stage");
    const before = pair.querySelector(".before"), line = pair.querySelector(".line");
    const size = [Number(pair.dataset.width), Number(pair.dataset.height)];
    let at = 0.5, zoom = "fit", whole = false;

    // The line stands at a share of what is visible, wherever the picture is scrolled to.
    const draw = () => {
      const x = at * view.clientWidth;
      const share = whole ? 1 - Math.round(at) : (view.scrollLeft + x) / stage.clientWidth;
      before.style.clipPath = `inset(0 ${100 - 100 * clamp(share, 0, 1)}% 0 0)`;
      line.style.left = `${x}px`;
      line.setAttribute("aria-valuenow", Math.round(100 * at));
    };
    const move = (value) => { at = clamp(value, 0, 1); draw(); };
    const resize = () => {
      // 100 % is one pixel of the picture on one pixel of the screen; the frame is as wide as that.
      const room = [pair.parentElement.clientWidth - 2, 0.82 * window.innerHeight];
      const factor = zoom === "fit"
        ? Math.min(1, room[0] / size[0], room[1] / size[1])
        : Number(zoom) / (window.devicePixelRatio || 1);
      const shown = size.map((side) => side * factor);
      stage.style.width = `${shown[0]}px`;
      stage.style.height = `${shown[1]}px`;
      stage.classList.toggle("sharp", zoom === "2");
      const bar = shown[1] > room[1] + 1 ? view.offsetWidth - view.clientWidth || 16 : 0;
      pair.style.width = `${Math.max(160, Math.ceil(shown[0]) + 2 + bar)}px`;
      draw();
    };
    const follow = (event) => {
      const box = view.getBoundingClientRect();
      move((event.clientX - box.left) / view.clientWidth);
    };

    // A mouse drags anywhere; a finger drags the line, and elsewhere it scrolls.
    const start = (event) => {
      if (event.button) return;
      const held = event.currentTarget;
      held.setPointerCapture(event.pointerId);
      held.addEventListener("pointermove", follow);
      const end = () => held.removeEventListener("pointermove", follow);
      held.addEventListener("pointerup", end, { once: true });
      held.addEventListener("pointercancel", end, { once: true });
      follow(event);
      line.focus({ preventScroll: true });
      event.preventDefault();
    };
    const inside = (event) => {
      const box = view.getBoundingClientRect();
      return event.clientX < box.left + view.clientWidth && event.clientY < box.top + view.clientHeight;
    };
    line.addEventListener("pointerdown", start);
    view.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "mouse" && inside(event)) start(event);
    });
    view.addEventListener("click", (event) => {
      if (event.pointerType !== "mouse" && event.detail && inside(event)) follow(event);
    });

    line.addEventListener("keydown", (event) => {
      const step = event.shiftKey ? 0.1 : 0.01;
      const to = {
        ArrowLeft: at - step, ArrowDown: at - step, ArrowRight: at + step, ArrowUp: at + step,
        PageDown: at - 0.1, PageUp: at + 0.1, Home: 0, End: 1,
      }[event.key];
      if (to !== undefined) move(to);
      else if (event.key === " ") { whole = true; draw(); }
      else return;
      event.preventDefault();
    });
    const back = () => { whole = false; draw(); };
    line.addEventListener("keyup", (event) => { if (event.key === " ") back(); });
    line.addEventListener("blur", back);

    const buttons = pair.nextElementSibling;
    buttons.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      zoom = button.dataset.zoom;
      for (const other of buttons.querySelectorAll("button")) {
        other.setAttribute("aria-pressed", other === button);
      }
      resize();
    });
    view.addEventListener("scroll", draw);
    window.addEventListener("resize", resize);
    resize();
  }
})();
