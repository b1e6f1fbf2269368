# ovvis in a container: a CPU image by default, one for NVIDIA GPUs by a build argument.
#
#   docker build -t ovvis .
#   docker build -t ovvis:cuda --build-arg TORCH_BACKEND=cu128 .
#   docker run --rm -v "$PWD:/data" --user "$(id -u):$(id -g)" ovvis segment street.mp4 -c "dog,skateboard"
#
# TORCH_BACKEND is what uv knows as --torch-backend: cpu, cu126, cu128, rocm6.3, ...
ARG PYTHON_VERSION=3.12

FROM python:${PYTHON_VERSION}-slim AS build
ARG TORCH_BACKEND=cpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 UV_NO_CACHE=1
RUN python -m pip install "build>=1.2" "uv>=0.6.9"
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY ovvis_cli ovvis_cli
COPY models models
RUN python -m build --wheel --outdir /wheels . \
    && python -m venv --without-pip /opt/ovvis \
    && uv pip install --python /opt/ovvis/bin/python --torch-backend "${TORCH_BACKEND}" /wheels/*.whl

FROM python:${PYTHON_VERSION}-slim
LABEL org.opencontainers.image.title="ovvis" \
      org.opencontainers.image.description="Open-vocabulary video instance segmentation" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/ovvis /opt/ovvis
# The cache is writable by anyone, so that `--user` of any number works.
RUN useradd --create-home --uid 10001 ovvis \
    && install --directory --mode 1777 /cache \
    && install --directory --owner ovvis --group ovvis /data
ENV PATH="/opt/ovvis/bin:${PATH}" \
    XDG_CACHE_HOME=/cache \
    PYTHONUNBUFFERED=1
USER ovvis
WORKDIR /data
HEALTHCHECK --interval=10m --timeout=2m --start-period=1m CMD ["ovvis", "doctor", "--quiet"]
ENTRYPOINT ["ovvis"]
CMD ["--help"]
