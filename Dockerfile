# The GPU machine: ROS 2 Jazzy on Ubuntu 24.04, torch with CUDA, this package built. Not built or run by the authors yet.
#
#   docker build -t instructvla_ros .
#   docker run --rm -it --gpus all --net host --ipc host -v ~/.cache/instructvla_ros:/root/.cache/instructvla_ros \
#       instructvla_ros ros2 launch instructvla_ros bringup.launch.py robot:=widowx machine:=policy \
#       checkpoint:=/root/.cache/instructvla_ros/checkpoints/generalist
#
# The host needs NVIDIA's driver and container toolkit; CUDA's libraries come with torch. --ipc host lets images through
# shared memory where a node on the host publishes them.
FROM ros:jazzy-ros-base

SHELL ["/bin/bash", "-c"]
RUN apt-get update && apt-get install -y --no-install-recommends \
        build-essential libegl1 libgl1 libegl-mesa0 libgl1-mesa-dri python3-colcon-common-extensions python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/instructvla_ros
COPY . .
# set-up looks for a GPU to choose torch, and there is none while an image is built
ENV TORCH_INDEX=https://download.pytorch.org/whl/cu130
RUN apt-get update && rosdep update && . /opt/ros/jazzy/setup.bash \
    && rosdep install --from-paths . --ignore-src -y && make setup \
    && rm -rf /var/lib/apt/lists/* /root/.cache/pip
ENTRYPOINT ["/bin/bash", "-c", ". /opt/ros/jazzy/setup.bash && . tools/environment.sh && exec \"$@\"", "--"]
CMD ["ros2", "launch", "instructvla_ros", "bringup.launch.py", "--show-args"]
